"""The text files _headers and _redirects of a static site. Pure.

A line that Cloudflare would pass over in silence is an error here, with its number: a rule that is not followed is a site that is wrong.
Patterns are kept simple enough that matching takes time in proportion to the path: one * at most, and one :name in a path segment.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

HEADER_RULES_MAX = 100
HEADER_LINE_MAX = 2000
STATIC_REDIRECTS_MAX = 2000
DYNAMIC_REDIRECTS_MAX = 100
REDIRECT_LINE_MAX = 1000
STATUSES = (200, 301, 302, 303, 307, 308)

# What the server decides from the file itself: a rule that changed them would break the message.
_FRAMING = frozenset(
    {
        "connection", "content-encoding", "content-length", "content-range", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
_OURS = re.compile(r"x-nearhop-.*")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_VALUE = re.compile(r"[\x21-\x7e\x80-\xff]([\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?")
_PLACEHOLDER = re.compile(r":[A-Za-z]\w*", re.ASCII)
_PATHLIKE = re.compile(r"/|[^\s/:]+://")
_PRINTABLE = re.compile(r"[\x21-\x7e]+")


def parse_headers(text: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the rules of a _headers file and what is wrong with it, each reason with its line."""
    rules: list[dict[str, Any]] = []
    reasons: list[str] = []
    for number, line in _lines(text):
        reason: str | None
        if len(line) > HEADER_LINE_MAX:
            reason = f"has {len(line)} characters; at most {HEADER_LINE_MAX} are allowed"
        elif _PATHLIKE.match(line):
            rules.append({"path": line, "set": [], "unset": []})
            reason = next(iter(pattern_reasons(line, hosts=True)), None)
        elif not rules:
            reason = "a path must come before its headers"
        else:
            reason = _header(line, rules[-1])
        if reason:
            reasons.append(f"line {number}: {reason}")
    reasons += [f"{rule['path']} has no headers" for rule in rules if not rule["set"] and not rule["unset"]]
    if len(rules) > HEADER_RULES_MAX:
        reasons.append(f"{len(rules)} rules; at most {HEADER_RULES_MAX} are allowed")
    return rules, reasons


def _header(line: str, rule: dict[str, Any]) -> str | None:
    if line.startswith("!"):
        name = line[1:].strip().lower()
        rule["unset"].append(name)
        return next(iter(header_reasons(name, "x")), None)
    name, colon, value = line.partition(":")
    if not colon:
        return "neither a path nor a header: write /path, or Name: value, or ! Name"
    rule["set"].append([name.strip().lower(), value.strip()])
    return next(iter(header_reasons(name.strip(), value.strip())), None)


def header_reasons(name: str, value: str) -> list[str]:
    """Say why a rule may not set the header *name* to *value*."""
    if not _NAME.fullmatch(name):
        return [f"{name!a} is no header's name"]
    if name.lower() in _FRAMING or _OURS.fullmatch(name.lower()):
        return [f"{name} is the server's own to set"]
    if not _VALUE.fullmatch(value):
        return [f"{name} has no value that can be sent"]
    return []


def parse_redirects(text: str, html_handling: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the rules of a _redirects file and what is wrong with it, each reason with its line."""
    rules: list[dict[str, Any]] = []
    reasons: list[str] = []
    seen: set[str] = set()
    for number, line in _lines(text):
        rule, reason = _redirect(line)
        if rule is not None and reason is None:
            reason = next(iter(redirect_reasons(rule, html_handling)), None)
            if rule["from"] in seen:
                reason = f"{rule['from']} is redirected already"
            seen.add(rule["from"])
            rules.append(rule)
        if reason:
            reasons.append(f"line {number}: {reason}")
    return rules, reasons + _counts(rules)


def _redirect(line: str) -> tuple[dict[str, Any] | None, str | None]:
    if len(line) > REDIRECT_LINE_MAX:
        return None, f"has {len(line)} characters; at most {REDIRECT_LINE_MAX} are allowed"
    words = line.split()
    comment = next((at for at, word in enumerate(words) if at >= 2 and word.startswith("#")), len(words))
    words = words[:comment]
    if not 2 <= len(words) <= 3:
        return None, f"has {len(words)} words; a rule is FROM TO or FROM TO STATUS"
    status = words[2] if len(words) == 3 else "302"
    if status not in map(str, STATUSES):
        return None, f"{status} is none of the statuses {', '.join(map(str, STATUSES))}"
    return {"from": words[0], "to": words[1], "status": int(status)}, None


def redirect_reasons(rule: Mapping[str, Any], html_handling: str) -> list[str]:  # noqa: PLR0911  # a list of refusals
    """Say why *rule*, whose members have the right types, cannot be followed."""
    source, to, status = rule["from"], rule["to"], rule["status"]
    if status not in STATUSES:
        return [f"{status} is no status of a redirect"]
    if reasons := pattern_reasons(source, hosts=False):
        return reasons
    if not _PRINTABLE.fullmatch(to) or "\\" in to or to.startswith("//"):
        return [f"{to!a} is no place to go to: percent-encode what is not ASCII"]
    relative = to.startswith("/")
    if not relative and not re.match(r"https?://[^/?#]", to):
        return [f"{to} is neither a path nor an http or https URL"]
    if status == 200 and not relative:
        return ["a rule with status 200 can only lead to a path of the same site"]
    if not relative and _PLACEHOLDER.search(to.removesuffix(_path(to)).partition("://")[2]):
        return [f"{to} has a placeholder in its host"]
    unknown = {name for name in _PLACEHOLDER.findall(_path(to)) if name != ":splat"} - set(_PLACEHOLDER.findall(source))
    if unknown or (":splat" in _path(to) and "*" not in source and ":splat" not in source):
        return [f"{to} uses a placeholder that {source} does not have"]
    if relative and _loops(source, to, html_handling):
        return [f"{source} leads to itself: the server takes /index and .html off a path"]
    return []


def _path(url: str) -> str:
    return re.sub(r"^https?://[^/?#]*", "", url)


def _loops(source: str, to: str, html_handling: str) -> bool:
    to_index = to.endswith(("/index", "/index.html"))
    return to_index and (source.endswith("/*") or (source.endswith("/") and html_handling != "none"))


def _counts(rules: list[dict[str, Any]]) -> list[str]:
    dynamic = sum(map(is_dynamic, rules))
    reasons = []
    if dynamic > DYNAMIC_REDIRECTS_MAX:
        reasons.append(f"{dynamic} rules with * or :name; at most {DYNAMIC_REDIRECTS_MAX} are allowed")
    if len(rules) - dynamic > STATIC_REDIRECTS_MAX:
        reasons.append(f"{len(rules) - dynamic} rules; at most {STATIC_REDIRECTS_MAX} are allowed")
    return reasons


def is_dynamic(rule: Mapping[str, Any]) -> bool:
    """Tell whether a redirect stands for more than one path."""
    return "*" in rule["from"] or _PLACEHOLDER.search(rule["from"]) is not None


def pattern_reasons(pattern: str, *, hosts: bool) -> list[str]:
    """Say why *pattern* is none that paths can be matched with: /a/:name/*, and with *hosts* also https://host/…"""
    if not _PRINTABLE.fullmatch(pattern):
        return [f"{pattern!a} holds a space or what is not ASCII: percent-encode it"]
    path = pattern
    if not pattern.startswith("/"):
        if not hosts:
            return [f"{pattern} does not begin with a slash"]
        if not pattern.startswith("https://") or "/" not in pattern[8:]:
            return [f"{pattern} is neither a path nor https://host/path"]
        host, _, rest = pattern[8:].partition("/")
        if not host or "*" in host or not all(re.fullmatch(r":[A-Za-z]\w*|[A-Za-z0-9-]+", part) for part in host.split(".")):  # fmt: skip
            return [f"{pattern} names no host, with or without a :name for a whole label"]
        path = f"/{rest}"
    if "?" in path or "#" in path:
        return [f"{pattern} holds a query or a fragment, which no rule looks at"]
    return _segment_reasons(pattern, path)


def _segment_reasons(pattern: str, path: str) -> list[str]:
    if path.count("*") > 1:
        return [f"{pattern} holds more than one *"]
    names = _PLACEHOLDER.findall(pattern)
    if len(set(names)) != len(names) or (":splat" in names and "*" in path):
        return [f"{pattern} gives two placeholders one name"]
    for segment in path.split("/"):
        if len(_PLACEHOLDER.findall(segment)) + segment.count("*") > 1:
            return [f"{pattern} holds more than one placeholder between two slashes"]
    return []


def rules_reasons(index: Mapping[str, Any]) -> list[str]:
    """Say what is wrong with the rules of a pack's *index*, whoever made it."""
    reasons = [reason for rule in index["headers"] for reason in _judged(rule, _header_rule)]
    for rule in index["redirects"]:
        reasons += _judged(rule, lambda rule: _redirect_rule(rule, index["html_handling"]))
    if not reasons:
        reasons = _counts(index["redirects"])
    if len(index["headers"]) > HEADER_RULES_MAX:
        reasons.append(f"{len(index['headers'])} header rules; at most {HEADER_RULES_MAX} are allowed")
    return reasons[:20]


def _judged(rule: Any, judge: Callable[[Mapping[str, Any]], list[str]]) -> list[str]:
    return judge(rule) if isinstance(rule, dict) else ["a rule is no object"]


def _header_rule(rule: Mapping[str, Any]) -> list[str]:
    pairs, names = rule.get("set"), rule.get("unset")
    if not isinstance(rule.get("path"), str) or not isinstance(pairs, list) or not isinstance(names, list):
        return ["a header rule has no path, set and unset"]
    if not all(isinstance(pair, list) and len(pair) == 2 and all(isinstance(x, str) for x in pair) for pair in pairs):
        return ["a header rule sets what is no pair of texts"]
    reasons = pattern_reasons(rule["path"], hosts=True)
    for name, value in [*pairs, *([str(name), "x"] for name in names)]:
        reasons += header_reasons(name, value)
    return reasons


def _redirect_rule(rule: Mapping[str, Any], html_handling: str) -> list[str]:
    texts = isinstance(rule.get("from"), str) and isinstance(rule.get("to"), str)
    if not texts or type(rule.get("status")) is not int:
        return ["a redirect has no from, to and status"]
    return redirect_reasons(rule, html_handling)


def _lines(text: str) -> list[tuple[int, str]]:
    lines = ((number, line.strip()) for number, line in enumerate(text.split("\n"), 1))
    return [(number, line) for number, line in lines if line and not line.startswith("#")]
