"""Whether a module may run on a node: valid, within the size limit, and importing nothing but the built-ins that the sandbox offers.

The module's graph comes from Deno's own parser, the one that will load it; the module is never run. Every import of a file is blocked by an
import map before it is resolved, remote and npm ones by flags, so that looking at a hostile module reads and fetches nothing.
"""

import asyncio
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nearhop import children, engines

BUNDLE_MAX_BYTES = 10 * 1024 * 1024

# Node's built-in modules that compute only: no files, processes or sockets. Subpaths (node:util/types) come with them.
BUILT_INS = frozenset(
    {
        "assert", "async_hooks", "buffer", "crypto", "events", "path", "process", "punycode", "querystring", "stream",
        "string_decoder", "timers", "url", "util",
    }
)  # fmt: skip

# What the sandbox itself is to its programs on Cloudflare.
_PLATFORM = frozenset({"cloudflare:workers"})

_COMPILE = Path(__file__).with_name("compile.mjs")
_NOTHING = ("--no-config", "--no-lock", "--no-remote", "--no-npm")
_PARSE_TIMEOUT_S = 30.0
# A null entry blocks what it prefixes. Relative and absolute paths have become file: URLs when the map is asked.
_BLOCK_FILES = '{"imports": {"file:///": null}}'
_SHOWN_REASONS = 20
_PACKAGE = re.compile(
    r"(?:@[a-z0-9~-][\w.~-]*/)?[a-z0-9~-][\w.~-]*(?:/[\w./~-]*)?"
)  # "ws", "@scope/name/path"; no scheme, no path
_PLACE = re.compile(r"\n\s+at file:\S+?:(\d+):(\d+)")


async def self_contained(source: bytes) -> list[str]:
    """Say why the module *source* is not acceptable as a bundle; an empty list for a good one.

    Raises EngineMissing when there is no Deno. Takes at most a minute, whatever the source.
    """
    if reasons := _at_a_glance(source):
        return reasons
    deno = await asyncio.to_thread(engines.find, "deno")
    with tempfile.TemporaryDirectory(prefix="nearhop-check-") as folder:
        try:
            return await _imports(deno.path, _write(Path(folder), source)) or await _compile(deno.path, source)
        except _GaveUp as error:
            return [str(error)]


class _GaveUp(Exception):
    """Deno ended without a verdict."""


def _write(folder: Path, source: bytes) -> Path:
    (folder / "map.json").write_text(_BLOCK_FILES)
    module = folder / "module.mjs"
    module.write_bytes(source)
    return module


def _at_a_glance(source: bytes) -> list[str]:
    if not source.strip():
        return ["is empty"]
    if len(source) > BUNDLE_MAX_BYTES:
        return [f"has {len(source):,} bytes; at most {BUNDLE_MAX_BYTES:,} are allowed"]
    try:
        source.decode("utf-8")
    except UnicodeDecodeError as error:
        return [f"is not UTF-8: byte {error.start} is 0x{source[error.start]:02x}"]
    return []


async def _imports(deno: Path, module: Path) -> list[str]:
    output = await _ask(
        [deno, "info", "--json", *_NOTHING, f"--import-map={module.with_name('map.json')}", module],
        cwd=module.parent,
    )
    return list(refusals(json.loads(output)))


async def _compile(deno: Path, source: bytes) -> list[str]:
    # Deno's parser forgives what V8 does not, such as type annotations and a name declared twice.
    with tempfile.TemporaryDirectory(prefix="nearhop-check-") as folder:
        output = await _ask([deno, "run", "--no-prompt", *_NOTHING, _COMPILE], cwd=Path(folder), stdin=source)
    objection: str | None = json.loads(output)
    return [] if objection is None else [f"is not a JavaScript module: {objection.removeprefix('SyntaxError: ')}"]


async def _ask(argv: list[str | Path], *, cwd: Path, stdin: bytes | None = None) -> bytes:
    process = await children.spawn(
        argv,
        cwd=cwd,
        env={"DENO_DIR": str(cwd / "cache"), "DENO_NO_UPDATE_CHECK": "1", "NO_COLOR": "1"},
        stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(_PARSE_TIMEOUT_S):
            output, _ = await process.communicate(stdin)
    except TimeoutError as error:
        raise _GaveUp(f"could not be parsed within {_PARSE_TIMEOUT_S:.0f} s") from error
    finally:
        if process.returncode is None:
            await children.stop(process, grace_s=0)
    if process.returncode != 0:
        # A parser that overflows its stack aborts: nothing that people or bundlers write is nested so deep.
        raise _GaveUp("could not be parsed: the parser gave up on it, as it does on code that is nested too deeply")
    return output


def refusals(graph: Mapping[str, Any]) -> Iterator[str]:
    """Yield why the one module of *graph* (the form of `deno info --json`) is refused, at most 20 reasons and a count of the rest."""
    root = graph["roots"][0]
    module = next(module for module in graph["modules"] if module["specifier"] == root)
    if "error" in module:
        yield _syntax_error(module["error"])
        return
    imports = [
        dependency
        for dependency in module.get("dependencies", [])
        if "code" in dependency and not _optional(dependency)
    ]
    reasons = [reason for dependency in imports if (reason := _import_refusal(dependency))]
    yield from reasons[:_SHOWN_REASONS]
    if len(reasons) > _SHOWN_REASONS:
        yield f"and {len(reasons) - _SHOWN_REASONS} more imports are not allowed"


def _optional(dependency: Mapping[str, Any]) -> bool:
    # A package asks for an optional one in this way, and gets the error that it would get where that one is not installed.
    return bool(dependency.get("isDynamic")) and _PACKAGE.fullmatch(dependency["specifier"]) is not None


def _syntax_error(text: str) -> str:
    # Deno's text: the message, an excerpt between bars, and the place.
    sentence = text.splitlines()[0].removeprefix("SyntaxError: ").strip()
    place = _PLACE.search(text)
    return f"is not a JavaScript module: line {place[1]}, column {place[2]}: {sentence}" if place else (
        f"is not a JavaScript module: {sentence}"
    )  # fmt: skip


def _import_refusal(dependency: Mapping[str, Any]) -> str | None:
    specifier: str = dependency["specifier"]
    if allowed(specifier):
        return None
    line = dependency["code"]["span"]["start"]["line"] + 1
    shown = specifier if len(specifier) <= 80 else specifier[:79] + "…"
    return f'line {line}: imports "{shown}": {_why_refused(specifier)}'


def allowed(specifier: str) -> bool:
    """Tell whether a bundle may import *specifier*."""
    if specifier in _PLATFORM:
        return True
    scheme, _, name = specifier.partition(":")
    built_in, *subpath = name.split("/")
    return scheme == "node" and built_in in BUILT_INS and all(part.isalpha() for part in subpath)


def _why_refused(specifier: str) -> str:
    if specifier.startswith("node:"):
        return f"the sandbox offers only these built-ins: {', '.join(f'node:{name}' for name in sorted(BUILT_INS))}"
    if specifier.startswith("cloudflare:"):
        return "the sandbox does not offer this module"
    return "a bundle must hold everything that it imports"
