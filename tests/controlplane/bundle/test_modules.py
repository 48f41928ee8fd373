"""What may run on a node: Deno's own parser judges, and nothing is read, fetched or run by looking."""

import asyncio
import os
from pathlib import Path

import pytest

from controlplane.bundle import modules
from controlplane.bundle.modules import BUNDLE_MAX_BYTES, allowed, refusals, self_contained

GOOD = b"export default { fetch() { return new Response('ok') } }\n"


async def test_a_module_without_imports_is_accepted() -> None:
    assert await self_contained(GOOD) == []


async def test_an_optional_package_may_be_missing() -> None:
    assert (
        await self_contained(b'export const load = () => import("ws"), other = () => import("@scope/name/path")') == []
    )
    refused = await self_contained(b'export const load = () => import("./ws.js"), other = () => import("npm:ws")')
    assert len(refused) == 2


async def test_offered_built_ins_are_accepted() -> None:
    source = (
        b'import { env } from "cloudflare:workers";\n'
        b'import { Buffer } from "node:buffer"; import { types } from "node:util"; import "node:stream/web";\n' + GOOD
    )
    assert await self_contained(source) == []


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (b"", "is empty"),
        (b" \n\t", "is empty"),
        (b"export default '\xff'", "is not UTF-8: byte 16 is 0xff"),
        (b"x" * (BUNDLE_MAX_BYTES + 1), "has 10,485,761 bytes; at most 10,485,760 are allowed"),
        (b"let a = 1;\nlet b = = 2;\n", "is not a JavaScript module: line 2, column 9: Expression expected"),
        (b"const a: number = 1;", "is not a JavaScript module: Missing initializer in const declaration"),
        (b"let a; let a;", "is not a JavaScript module: Identifier 'a' has already been declared"),
        (b"with (x) {}", "is not a JavaScript module: Strict mode code may not include a with statement"),
        (b"\x00", "is not a JavaScript module"),
        (b"let a = " + b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
    ],
    ids=["empty", "blank", "not UTF-8", "too big", "syntax", "TypeScript", "declared twice", "sloppy", "NUL", "nested"],
)
async def test_what_is_no_module_is_refused(source: bytes, reason: str) -> None:
    [said] = await self_contained(source)
    assert reason in said


@pytest.mark.parametrize(
    "statement",
    [
        'import x from "file:///etc/passwd" with { type: "text" };',
        'import x from "file:///etc/passwd" with { type: "bytes" };',
        'import "/etc/passwd";',
        'import "./other.js";',
        'import "../../other.js";',
        'import "http://192.0.2.1/x.js";',
        'import "https://example.org/x.js";',
        'import "npm:jose@5";',
        'import "jsr:@std/assert";',
        'import "data:text/javascript,export default 1";',
        'import "blob:null/0";',
        'import "bare";',
        'import "node:fs";',
        'import "node:child_process";',
        'import "node:buffer/../fs";',
        'import { connect } from "cloudflare:sockets";',
        'import "cloudflare:workers/../sockets";',
        'export * from "file:///etc/hostname";',
        'import source w from "./x.wasm";',
        'import defer * as d from "./x.js";',
        'await import("file:///etc/passwd");',
        "await import(`npm:jose`);",
        'import("\\x66ile:///etc/passwd");',
        'import ("file:///etc/passwd", { with: { type: "text" } });',
    ],
)
async def test_an_import_that_leaves_the_bundle_is_refused(statement: str) -> None:
    reasons = await self_contained(f"\n{statement}\n".encode() + GOOD)
    assert reasons, statement
    assert "not a JavaScript module" in reasons[0] or "line 2: imports" in reasons[0]


async def test_every_refused_import_is_told_with_its_line() -> None:
    reasons = await self_contained(b'import "./a.js";\nimport "node:net";\n' + GOOD)
    assert [reason.split(":")[0] for reason in reasons] == ["line 1", "line 2"]


async def test_looking_at_a_module_reads_no_other_file(tmp_path: Path) -> None:
    # A fifo that nobody writes to: reading it would never end.
    fifo = tmp_path / "fifo.js"
    os.mkfifo(fifo)
    source = "".join(
        f"{line}\n"
        for line in (
            f'/// <reference types="{fifo.as_uri()}" />',
            f'// @ts-self-types="{fifo.as_uri()}"',
            f'import "{fifo.as_uri()}";',
            f'import t from "{fifo}" with {{ type: "text" }};',
            f"import \"data:text/javascript,import '{fifo.as_uri()}'\";",
            f"/** @import {{ X }} from '{fifo.as_uri()}' */",
        )
    )
    async with asyncio.timeout(10):
        assert len(await self_contained(source.encode())) == 3


async def test_a_module_is_never_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    assert await self_contained(f'Deno.writeTextFileSync("{mark}", "ran");\n'.encode() + GOOD) == []
    assert not mark.exists()


async def test_a_parse_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "_PARSE_TIMEOUT_S", 0.0)
    assert await self_contained(GOOD) == ["could not be parsed within 0 s"]


def test_many_refusals_are_cut_with_their_count() -> None:
    span = {"span": {"start": {"line": 0, "character": 0}}}
    graph = {
        "roots": ["file:///m"],
        "modules": [
            {"specifier": "file:///m", "dependencies": [{"specifier": f"{n}" * 90, "code": span} for n in range(25)]}
        ],
    }
    reasons = list(refusals(graph))
    assert len(reasons) == 21
    assert reasons[-1] == "and 5 more imports are not allowed"
    assert all(len(reason) < 200 for reason in reasons)


def test_types_are_no_imports() -> None:
    graph = {"roots": ["m"], "modules": [{"specifier": "m", "dependencies": [{"specifier": "./x.d.ts", "type": {}}]}]}
    assert list(refusals(graph)) == []


@pytest.mark.parametrize(
    "specifier", ["node:", "node", "node:fs", "NODE:buffer", "node:Buffer", " node:buffer", "node:vm"]
)
def test_look_alikes_of_built_ins_are_not_allowed(specifier: str) -> None:
    assert not allowed(specifier)
