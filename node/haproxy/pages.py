"""The pages that the ingress answers itself: one sentence and one reason code each, plain or as JSON. Pure."""

from node.haproxy.settings import REASONS

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
_SENTENCES = {
    400: "The request is not valid.",
    404: "There is no function at %[var(txn.host),json(utf8s)].",
    405: "The method is not allowed.",
    413: "The request's body is too large.",
    429: "There are too many requests from this address.",
    502: "The function's sandbox ended before it answered.",
    503: "The function cannot serve at the moment.",
    504: "The function did not answer in time.",
}
_RETURNED = {
    414: "The request's URL is too long."
}  # http-error knows it not; of a header too large HAProxy itself makes a bare 400
SLOT = "var(txn.route),word(1,|),ltrim(c)"


def asked_for_json() -> str:
    """Render the rule that notes, while the request can be seen, in which form a page would be wanted."""
    return "http-request set-var(txn.json) bool(1) if { req.hdr(accept) -m sub application/json }"


def errors() -> list[str]:
    """Render the pages of each status, for whoever answers with it."""
    return [
        f'http-error status {status} content-type "{TEXT}" lf-string "{_page(_reason(status), sentence)}"'
        for status, sentence in _SENTENCES.items()
    ]


def counted(condition: str) -> list[str]:
    """Render the rules that count a refusal by function and reason, where the agent can read it."""
    return [
        f"http-request set-var-fmt(txn.refused) %[var(txn.route),word(2,|)]|%[var(txn.reason)] if {condition}",
        f"http-request track-sc2 var(txn.refused) table refusals if {condition}",
    ]


def returned(status: int, condition: str) -> str:
    """Render the rule that answers with a status that has no page of its own."""
    page = _page("var(txn.reason)", _RETURNED[status])
    return f'http-request return status {status} content-type "{TEXT}" lf-string "{page}" if {condition}'


def ended(status: int) -> str:
    """Return the expression for why a slot's sandbox is gone."""
    # 502: it ended while it served, for a reason that the agent has yet to tell; 503: none listens on the socket.
    return f"{SLOT},map_str({REASONS},{'sandbox_ended' if status == 502 else 'no_sandbox'})"


def _reason(status: int) -> str:
    if status == 504:
        return "str(exceeded_wall)"
    if status == 502:
        return ended(status)
    return {400: "var(txn.reason,bad_request)", 503: "var(txn.reason,no_sandbox)"}.get(status, "var(txn.reason)")


def _page(reason: str, sentence: str) -> str:
    # One text for both forms: the JSON punctuation is there only when the client asked for it.
    form = "var(txn.json,0),bool,iif"
    begin, middle, end = (
        rf"%[{form}('{{\"reason\":\"',)]",
        rf"%[{form}('\",\"message\":\"',': ')]",
        rf"%[{form}('\"}}',)]",
    )
    return rf"{begin}%[{reason}]{middle}{sentence}{end}\n"
