"""Which dialect a program is written in, from its text alone; one that builds its handler in an unusual way says --dialect. Pure."""

import re

from nearhop.errors import NearhopError
from nearhop.spec import Dialect

# Comments, quoted strings and template literals without nested templates: enough to not be misled by an entrypoint's prose. It is not used
# on whole bundles, where a regular expression that holds a quote would swallow the rest of a minified line.
_PROSE = re.compile(
    r"""(?P<comment>//[^\n]* | /\*.*?\*/) | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' | `(?:\\.|[^`\\])*`""",
    re.VERBOSE | re.DOTALL,
)
_DENO_SERVE = re.compile(r"\bDeno\s*\.\s*serve\s*\(")
_DEFAULT_EXPORT = re.compile(r"(?:^|[;}]|\*/)\s*export\s*(?:default\b|\{[^{}]*\bas\s+default\b)", re.MULTILINE)
_FETCH = re.compile(r"\bfetch\b")
_SCHEDULED = re.compile(r"\bscheduled\b")
_EVENT_LISTENER = re.compile(r"\baddEventListener\s*\(\s*[\"'`](fetch|scheduled)[\"'`]")
# Vercel's marks: the edge runtime asked for, exports named after methods, and middleware.
_TEXT = r"""(?:"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\$])*`)"""
_DENO_CRON = re.compile(rf"\bDeno\s*\.\s*cron\s*\(\s*(?:{_TEXT}\s*,\s*(?P<schedule>{_TEXT})\s*,)?")
_EXPORTED_CONFIG = re.compile(r"\bexport\s+const\s+(?:config\b[^=]*=\s*\{|runtime\b)")
_EDGE = re.compile(r"""\bruntime\s*(?::|=|:\s*string\s*=)\s*["'`](?:experimental-)?edge["'`]""")
_METHOD_EXPORT = re.compile(
    r"\bexport\s+(?:async\s+)?(?:function\s*\*?\s*|const\s+|let\s+|var\s+)(?:GET|HEAD|OPTIONS|POST|PUT|DELETE|PATCH)\b"
    r"|\bexport\s*\{[^{}]*\b(?:GET|HEAD|OPTIONS|POST|PUT|DELETE|PATCH)\b[^{}]*\}"
)
_MIDDLEWARE = re.compile(
    r"\bexport\s+(?:async\s+)?(?:function\s+|const\s+)middleware\b|\bexport\s*\{[^{}]*\bas\s+middleware\b"
)


class UnknownDialect(NearhopError):
    """The program exports no handler that Nearhop knows; the message says which ones it does."""


def detect(entry: str, bundle: str, *, expected: Dialect | None = None) -> Dialect:  # noqa: PLR0911  # a table in order
    """Return the dialect of the program whose entrypoint's text is *entry* and whose bundled text is *bundle*.

    A Deno.serve call in the entrypoint decides, then what the project's files say (*expected*); a call that only a bundled library holds does not
    outweigh a default export. Raises UnknownDialect.
    """
    code = without_prose(entry)
    if _DENO_SERVE.search(code):
        return Dialect.DENO
    if expected is not None:
        return expected
    if is_edge(entry):
        return Dialect.VERCEL
    if _DEFAULT_EXPORT.search(bundle) and _FETCH.search(bundle):
        return Dialect.WORKERS
    if _METHOD_EXPORT.search(code) or _MIDDLEWARE.search(code):
        return Dialect.VERCEL
    if _DENO_SERVE.search(bundle):
        return Dialect.DENO
    if _EVENT_LISTENER.search(bundle):
        return Dialect.WORKERS
    raise UnknownDialect(_explain(bundle))


def without_prose(text: str, *, texts: bool = False) -> str:
    """Return *text* without its comments and, unless *texts* are to stay, with empty strings."""
    return _PROSE.sub(lambda match: " " if match["comment"] else match[0] if texts else '""', text)


def is_edge(text: str) -> bool:
    """Tell whether a module's *text* asks for Vercel's edge runtime."""
    return bool(_EXPORTED_CONFIG.search(without_prose(text)) and _EDGE.search(without_prose(text, texts=True)))


def deno_crons(bundle: str) -> tuple[tuple[str, ...], int]:
    """Return the schedules of the calls of Deno.cron in *bundle*, and how many calls do not write theirs out."""
    calls = list(_DENO_CRON.finditer(bundle))
    written = [" ".join(call["schedule"][1:-1].split()) for call in calls if call["schedule"] is not None]
    return tuple(dict.fromkeys(written)), len(calls) - len(written)


def handlers(bundle: str) -> tuple[str, ...]:
    """Return what the program of the text *bundle* seems to handle, for people."""
    return ("fetch", "scheduled") if _SCHEDULED.search(bundle) else ("fetch",)


def _explain(bundle: str) -> str:
    found = "its default export has no fetch" if _DEFAULT_EXPORT.search(bundle) else "there is neither"
    return (
        "the program has no handler: a Workers program says `export default { fetch(request, env, ctx) { … } }` or "
        '`addEventListener("fetch", …)`, a Deno program calls `Deno.serve(handler)`, a Vercel function says '
        f'`export const config = {{ runtime: "edge" }}`; {found}. If it has one all the same, say which with --dialect'
    )
