"""Which dialect a program's text tells."""

import pytest

from controlplane.bundle import UnknownDialect, detect
from controlplane.model import Dialect

WORKERS = "export default { fetch(request) { return new Response() } }"
DENO = "Deno.serve(() => new Response())"


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        (WORKERS, Dialect.WORKERS),
        ("var a={async fetch(r){}};export{a as default};", Dialect.WORKERS),
        ("var a={async fetch(r){}};export{b, a as default, c};", Dialect.WORKERS),
        (DENO, Dialect.DENO),
        ("Deno\n  .serve({ port: 8000 }, handler)", Dialect.DENO),
        (f"// like {DENO}\n{WORKERS}", Dialect.WORKERS),
        (f"/* {DENO} */ {WORKERS}", Dialect.WORKERS),
        (f'const help = "{DENO}";{WORKERS}', Dialect.WORKERS),
        (f"const help = `\n{DENO}`;{WORKERS}", Dialect.WORKERS),
        (f"{WORKERS}\n{DENO}", Dialect.DENO),
        ("var q=/[`'\"]/,a={fetch(){}};export{a as default};", Dialect.WORKERS),
        (f'const url = "http://example.org"; {DENO}', Dialect.DENO),
    ],
)
def test_the_text_tells_the_dialect(text: str, dialect: Dialect) -> None:
    assert detect(text, text) is dialect


def test_a_library_that_mentions_deno_does_not_make_a_worker_a_deno_program() -> None:
    assert detect("import lib from './lib'; export default lib", f"function x(){{{DENO}}} {WORKERS}") is Dialect.WORKERS


def test_a_call_in_an_imported_module_counts_when_there_is_no_default_export() -> None:
    assert detect('import "./server.ts"', DENO) is Dialect.DENO


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("export const x = 1", "there is neither"),
        ("export default 1", "its default export has no fetch"),
        ('addEventListener("fetch", handle)', "addEventListener"),
        ("// export default { fetch }", "there is neither"),
    ],
)
def test_a_program_without_a_handler_is_told_what_is_expected(text: str, said: str) -> None:
    with pytest.raises(UnknownDialect, match=said):
        detect(text, text)
