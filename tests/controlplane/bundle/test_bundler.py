"""From a project on disk to one module, with the real bundler."""

import hashlib
import re
import shutil
from pathlib import Path

import pytest

from controlplane.bundle import UnknownDialect, UnusableSource, bundle, locate, self_contained
from controlplane.bundle.bundler import STATIC_MODULE, readable
from nearhop.spec import Dialect

HELLO = "export default { fetch() { return new Response('hello') } }\n"


def typescript_project(root: Path) -> Path:
    (root / "lib").mkdir(parents=True)
    (root / "index.ts").write_text(
        'import { greet } from "./lib/greet";\nimport { Buffer } from "buffer";\nimport data from "./data.json" with { type: "json" };\n'
        "class Handler { fetch(_: Request): Response { return new Response(greet(data.name) + Buffer.from('x')) } }\n"
        "export default new Handler();\n"
    )
    (root / "lib" / "greet.ts").write_text("export const greet = (name: string): string => `hello ${name}`;\n")
    (root / "data.json").write_text('{"name": "world"}')
    return root


async def test_a_self_contained_file_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # With an empty cache and no way out, the bundler could not even start.
    monkeypatch.setenv("DENO_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    (tmp_path / "hello.js").write_text(HELLO)
    made = await bundle(locate(tmp_path / "hello.js"))
    assert made.source == HELLO.encode()
    assert made.digest == hashlib.sha256(HELLO.encode()).hexdigest()
    assert (made.dialect, made.entrypoint) == (Dialect.WORKERS, "hello.js")


def tree(root: Path) -> list[Path]:
    return sorted(root.rglob("*"))


@pytest.mark.acceptance
async def test_a_typescript_project_becomes_one_module(tmp_path: Path) -> None:
    root = typescript_project(tmp_path / "my project")
    before = tree(tmp_path)
    made = await bundle(locate(root))
    assert await self_contained(made.source) == []
    assert b"hello " in made.source
    assert b"node:buffer" in made.source
    assert made.dialect is Dialect.WORKERS
    assert tree(tmp_path) == before  # nothing is left in the project


@pytest.mark.acceptance
async def test_the_same_project_gives_the_same_bytes_in_any_folder(tmp_path: Path) -> None:
    first = typescript_project(tmp_path / "one")
    second = tmp_path / "elsewhere" / "another name"
    shutil.copytree(first, second)
    one, two = await bundle(locate(first)), await bundle(locate(second))
    assert one.digest == two.digest
    for part in (tmp_path.name, "one", str(Path.home())):
        assert f"/{part}/".encode() not in one.source


@pytest.mark.acceptance
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('import "./nope.ts";', r'Module not found "nope\.ts"'),
        ("const a = = 1;", r"index\.ts:1:11"),
        ('import "left-pad";', "spelling"),
        ('import "node:fs"; export default { fetch() {} }', "the sandbox offers only"),
    ],
)
async def test_errors_are_readable(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "index.ts").write_text(text)
    with pytest.raises(UnusableSource, match=said) as caught:
        await bundle(locate(tmp_path))
    assert "\x1b" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert "backtrace" not in str(caught.value)


@pytest.mark.acceptance
async def test_without_a_network_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENO_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    (tmp_path / "index.ts").write_text(HELLO)
    with pytest.raises(UnusableSource, match="needs the network"):
        await bundle(locate(tmp_path))


async def test_a_program_without_a_handler_is_refused_unless_told_otherwise(tmp_path: Path) -> None:
    (tmp_path / "x.js").write_text("export const x = 1;\n")
    with pytest.raises(UnknownDialect):
        await bundle(locate(tmp_path / "x.js"))
    assert (await bundle(locate(tmp_path / "x.js"), Dialect.DENO)).dialect is Dialect.DENO


async def test_an_unreadable_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.js").write_text(HELLO)
    project = locate(tmp_path / "x.js")
    project.file.unlink()
    with pytest.raises(UnusableSource, match="cannot be read"):
        await bundle(project)


def test_a_silent_bundler_is_told() -> None:
    assert "without saying why" in readable("\x1b[31merror\x1b[0m: bundling failed\n\nStack backtrace:\n", Path("/p"))


def site(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


async def test_a_site_has_a_module_of_one_line(tmp_path: Path) -> None:
    made = await bundle(locate(site(tmp_path, **{"index.html": "<p>x</p>"})))
    assert made.dialect is Dialect.STATIC
    assert made.source == STATIC_MODULE
    assert await self_contained(made.source) == []
    assert made.assets is not None
    assert (made.assets.files, made.entrypoint, made.warnings) == (1, ".", ())


async def test_a_program_with_files_beside_it(tmp_path: Path) -> None:
    config = (
        'main = "main.js"\nobservability = { enabled = true }\nassets = { directory = "public", binding = "ASSETS" }\n'
    )
    site(tmp_path, **{"wrangler.toml": config, "main.js": HELLO, "public/index.html": "x", "public/.env": "x"})
    made = await bundle(locate(tmp_path))
    assert (made.dialect, made.entrypoint, made.handlers) == (Dialect.WORKERS, "main.js", ("fetch",))
    assert made.assets is not None
    assert [warning.split(": ")[0] for warning in made.warnings] == ["wrangler.toml", "public"]


async def test_redirects_for_many_paths_need_a_program_that_is_asked_first(tmp_path: Path) -> None:
    config = 'main = "main.js"\n[assets]\ndirectory = "public"\n'
    site(tmp_path, **{"wrangler.toml": config, "main.js": HELLO, "public/_redirects": "/a/* /b\n", "public/b.txt": ""})
    with pytest.raises(UnusableSource, match=r"_redirects: /a/\* stands for paths that the program is asked for"):
        await bundle(locate(tmp_path))
    (tmp_path / "wrangler.toml").write_text(config + "run_worker_first = true\n")
    assert (await bundle(locate(tmp_path))).assets is not None


async def test_a_program_cannot_be_static(tmp_path: Path) -> None:
    (tmp_path / "x.js").write_text(HELLO)
    with pytest.raises(UnusableSource, match="is a program"):
        await bundle(locate(tmp_path / "x.js"), Dialect.STATIC)


EDGE = 'import { name } from "../lib/name";\nexport const config = { runtime: "edge" };\nexport default () => new Response(name);\n'


@pytest.mark.acceptance
async def test_a_vercel_project_becomes_one_module(tmp_path: Path) -> None:
    files = {
        "api/hello.ts": EDGE,
        "api/users/[id].ts": EDGE.replace("../lib", "../../lib"),
        "lib/name.ts": 'export const name = "nine";',
    }
    middleware = "export default function () {}\nexport const config = { matcher: ['/api/:path*'] };\n"
    made = []
    for folder in ("one", "two words"):
        root = site(tmp_path / folder, **files, **{"middleware.ts": middleware})
        made.append(await bundle(locate(root)))
        assert sorted(path.name for path in root.iterdir()) == ["api", "lib", "middleware.ts"]
    assert made[0].digest == made[1].digest
    assert tmp_path.name.encode() not in made[0].source
    assert made[0].dialect is Dialect.VERCEL
    assert made[0].entrypoint == "middleware.ts and 2 more"
    exports = re.search(rb"export\s*\{([^}]*)\}", made[0].source)
    assert exports is not None
    assert set(re.findall(rb"as (\w+)", exports[1])) >= {b"middleware", b"config", b"route0", b"route1"}


@pytest.mark.acceptance
async def test_the_platforms_own_module_stays_an_import_and_a_folder_has_a_name(tmp_path: Path) -> None:
    site(
        tmp_path,
        **{
            "index.ts": 'import { env } from "cloudflare:workers";\nexport default { fetch: () => new Response(env.A + __dirname) };'
        },
    )
    made = await bundle(locate(tmp_path))
    assert b'from"cloudflare:workers"' in made.source
    assert made.source.startswith(b'var __dirname="/"')


@pytest.mark.acceptance
async def test_the_import_map_of_deno_json_is_honored(tmp_path: Path) -> None:
    config = '{"imports": {"lib/": "./my/lib/"}, "exports": "./a.ts", "tasks": {"x": "y"}}'
    program = 'import { x } from "lib/x.ts";\nDeno.serve(() => new Response(x));'
    site(tmp_path, **{"deno.json": config, "a.ts": program, "my/lib/x.ts": 'export const x = "found";'})
    made = await bundle(locate(tmp_path))
    assert b"found" in made.source
    assert (made.dialect, made.warnings) == (Dialect.DENO, ())


async def test_schedules_of_a_deno_program_are_its_crons(tmp_path: Path) -> None:
    path = tmp_path / "main.js"
    path.write_text('Deno.cron("a", "0 5 * * *", () => {}); Deno.serve(() => new Response());')
    made = await bundle(locate(path))
    assert (made.dialect, made.settings.crons, made.warnings) == (Dialect.DENO, ("0 5 * * *",), ())
    path.write_text('Deno.cron("a", when, () => {}); Deno.serve(() => new Response());')
    made = await bundle(locate(path))
    assert made.settings.crons == ()
    assert "Deno.cron: 1 calls do not write out" in made.warnings[0]


async def test_a_site_with_rules_needs_no_bundler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENO_DIR", str(tmp_path / ".cache"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    (tmp_path / "index.html").write_text("x")
    (tmp_path / "vercel.json").write_text('{"rewrites": [{"source": "/(.*)", "destination": "/index.html"}]}')
    made = await bundle(locate(tmp_path))
    assert (made.dialect, made.entrypoint) == (Dialect.VERCEL, "vercel.json")
    assert made.source.startswith(b"export const vercelJson = ")
    assert made.assets is not None


async def test_files_are_imported_as_on_their_platforms(tmp_path: Path) -> None:
    files = {
        "index.ts": 'import page from "./pages/a.html"; import own from "own"; import wasm from "./a.wasm?module";'
        "export default { fetch: () => new Response(page + own + (wasm instanceof WebAssembly.Module)) };",
        "pages/a.html": "<h1>a page</h1>",
        "own.ts": 'export default "through the map";',
        "deno.json": '{ "imports": { "own": "./own.ts" } }',
        "wrangler.toml": 'main = "index.ts"',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "a.wasm").write_bytes(b"\0asm\1\0\0\0")
    made = await bundle(locate(tmp_path))
    assert made.dialect is Dialect.WORKERS
    assert b"<h1>a page</h1>" in made.source
    assert b"through the map" in made.source
    assert b'atob("AGFzbQEAAAA=")' in made.source
