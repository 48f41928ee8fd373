"""From a project on disk to one module, with the real bundler."""

import hashlib
import shutil
from pathlib import Path

import pytest

from controlplane.bundle import UnknownDialect, UnusableSource, bundle, locate, self_contained
from controlplane.bundle.bundler import readable
from controlplane.model import Dialect

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
