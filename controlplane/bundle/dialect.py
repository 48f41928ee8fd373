"""Which dialect a program is written in, from its text alone; one that builds its handler in an unusual way says --dialect."""

import re

from controlplane.model import Dialect
from nearhop.errors import NearhopError

# Comments, quoted strings and template literals without nested templates: enough to not be misled by an entrypoint's prose. It is not used
# on whole bundles, where a regular expression that holds a quote would swallow the rest of a minified line.
_PROSE = re.compile(
    r"""//[^\n]* | /\*.*?\*/ | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' | `(?:\\.|[^`\\])*`""",
    re.VERBOSE | re.DOTALL,
)
_DENO_SERVE = re.compile(r"\bDeno\s*\.\s*serve\s*\(")
_DEFAULT_EXPORT = re.compile(r"(?:^|[;}]|\*/)\s*export\s*(?:default\b|\{[^{}]*\bas\s+default\b)", re.MULTILINE)
_FETCH = re.compile(r"\bfetch\b")
_EVENT_LISTENER = re.compile(r"\baddEventListener\s*\(\s*[\"'`]fetch[\"'`]")


class UnknownDialect(NearhopError):
    """The program exports no handler that Nearhop knows; the message says which ones it does."""


def detect(entry: str, bundle: str) -> Dialect:
    """Return the dialect of the program whose entrypoint's text is *entry* and whose bundled text is *bundle*.

    A Deno.serve call in the entrypoint decides; one that only a bundled library holds does not outweigh a default export.
    Raises UnknownDialect.
    """
    if _DENO_SERVE.search(_PROSE.sub('""', entry)):
        return Dialect.DENO
    if _DEFAULT_EXPORT.search(bundle) and _FETCH.search(bundle):
        return Dialect.WORKERS
    if _DENO_SERVE.search(bundle):
        return Dialect.DENO
    raise UnknownDialect(_explain(bundle))


def _explain(bundle: str) -> str:
    if _EVENT_LISTENER.search(bundle):
        return 'the program listens with addEventListener("fetch"), which is not supported: export default { fetch } instead'
    found = "its default export has no fetch" if _DEFAULT_EXPORT.search(bundle) else "there is neither"
    return (
        "the program has no handler: a Workers program says `export default { fetch(request, env, ctx) { … } }`, "
        f"a Deno program calls `Deno.serve(handler)`; {found}. If it has one all the same, say which with --dialect"
    )
