"""Which dialect a program's text tells."""

import pytest

from controlplane.bundle import UnknownDialect, detect
from controlplane.bundle.dialect import deno_crons, handlers
from nearhop.spec import Dialect

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
        ('addEventListener("fetch", (event) => event.respondWith(handle(event)))', Dialect.WORKERS),
        ("addEventListener('scheduled', tick)", Dialect.WORKERS),
        ("export const config = { runtime: 'edge' };\nexport default (r) => fetch(r)", Dialect.VERCEL),
        (
            'export const config: EdgeConfig = {\n  runtime: "edge", regions: ["hnd1"],\n}; export default handler',
            Dialect.VERCEL,
        ),
        ('export const runtime = "edge"; export function GET() { return new Response() }', Dialect.VERCEL),
        ("export const runtime = 'experimental-edge'; export default handler", Dialect.VERCEL),
        ("export async function POST(request) { return new Response() }", Dialect.VERCEL),
        ("const PUT = f, x = 1; export { PUT, x }", Dialect.VERCEL),
        ("export function middleware(request) {}", Dialect.VERCEL),
        ("var a=1;export{a as middleware};", Dialect.VERCEL),
        (f'// runtime: "edge"\n{WORKERS}', Dialect.WORKERS),
        (f"const config = {{ runtime: 'edge' }};{WORKERS}", Dialect.WORKERS),
        (f'export const config = {{ note: "say runtime: nothing" }};{WORKERS}', Dialect.WORKERS),
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
        ("// export default { fetch }", "there is neither"),
    ],
)
def test_a_program_without_a_handler_is_told_what_is_expected(text: str, said: str) -> None:
    with pytest.raises(UnknownDialect, match=said):
        detect(text, text)


def test_what_the_projects_files_say_counts_more_than_the_form_but_not_than_a_call() -> None:
    assert detect(WORKERS, WORKERS, expected=Dialect.DENO) is Dialect.DENO
    assert detect(DENO, DENO, expected=Dialect.WORKERS) is Dialect.DENO


def test_handlers_are_told() -> None:
    assert handlers(WORKERS) == ("fetch",)
    assert handlers("export default { fetch() {}, scheduled() {} }") == ("fetch", "scheduled")


@pytest.mark.parametrize(
    ("text", "schedules"),
    [
        ("Deno.serve(() => {})", ()),
        (
            'Deno.cron("a", "*/5  * * * *", () => {}); Deno.cron(`b`, \'0 0 * * MON\', {}, f)',
            ("*/5 * * * *", "0 0 * * MON"),
        ),
        ('Deno.cron("a", "* * * * *", f);Deno . cron( "b" , "* * * * *" , f)', ("* * * * *",)),
        ("xDeno.cron()", ()),
    ],
)
def test_schedules_of_deno_are_read(text: str, schedules: tuple[str, ...]) -> None:
    assert deno_crons(text) == (schedules, 0)


@pytest.mark.parametrize(
    "call", ['Deno.cron("a", every, f)', 'Deno.cron("a", { minute: 1 }, f)', "Deno.cron(n, `${x} * * * *`, f)"]
)
def test_schedules_that_are_not_written_out_are_counted(call: str) -> None:
    assert deno_crons(call + ";" + call) == ((), 2)
