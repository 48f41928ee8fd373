"""Which file of a project is its entrypoint, and what the function would be called.

A file stands for itself. A folder says it in its configuration (Wrangler, then Deno, then package.json), else by a customary file name.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nearhop import names
from nearhop.errors import NearhopError

SUFFIXES = (".ts", ".tsx", ".mts", ".js", ".jsx", ".mjs")
_STEMS = ("index", "main", "worker", "src/index", "src/main", "src/worker")
_CUSTOMARY = tuple(f"{stem}{suffix}" for stem in _STEMS for suffix in SUFFIXES)
# A string, which is kept; a comment, or a comma before a closing bracket (comments between them are gone by then), which are not JSON.
_COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_LAST_COMMA = re.compile(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])', re.DOTALL)
_NOT_LABEL = re.compile(r"[^a-z0-9]+")


class UnusableSource(NearhopError):
    """What was given cannot become a bundle; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Project:
    """A program on disk: *entrypoint* is relative to *root* unless it lies elsewhere; *name* is the function's by default, None when none fits."""

    root: Path
    entrypoint: Path
    name: str | None

    @property
    def file(self) -> Path:
        """The entrypoint's whole path."""
        return self.root / self.entrypoint


def locate(path: Path, entrypoint: str | None = None) -> Project:
    """Return the project at *path*, a file or a folder; *entrypoint*, relative to the folder, overrides what the folder says.

    Raises UnusableSource when there is no entrypoint, or more than one that could be it.
    """
    if path.is_file():
        if entrypoint is not None:
            raise UnusableSource(f"{path} is a file, so --entrypoint has no meaning: leave it out, or give the folder")
        if path.suffix not in SUFFIXES:
            raise UnusableSource(f"{path} is neither JavaScript nor TypeScript: give a {', '.join(SUFFIXES)} file")
        return Project(path.absolute().parent, Path(path.name), as_label(path.stem))
    if not path.is_dir():
        raise UnusableSource(f"{path} does not exist: give a JavaScript or TypeScript file, or a project folder")
    root = path.absolute()
    wrangler = _wrangler(root)
    name = wrangler.get("name")
    return Project(
        root,
        _chosen(root, entrypoint) if entrypoint is not None else _found(root, wrangler),
        as_label(name if isinstance(name, str) else root.resolve().name),
    )


def as_label(text: str) -> str | None:
    """Return the function name that is nearest to *text*, or None when none is near."""
    label = _NOT_LABEL.sub("-", text.lower()).strip("-")[: names.LABEL_MAX].rstrip("-")
    return None if names.function_name_reasons(label) else label


def _chosen(root: Path, entrypoint: str) -> Path:
    if not (root / entrypoint).is_file():
        raise UnusableSource(f"--entrypoint {entrypoint} is not a file in {root}")
    return Path(entrypoint)


def _found(root: Path, wrangler: Mapping[str, Any]) -> Path:
    for file, entry in _declared(root, wrangler):
        if not (root / entry).is_file():
            raise UnusableSource(
                f"{file} names {entry}, which is not there: build it first, or choose one with --entrypoint"
            )
        return Path(entry)
    candidates = [*_package_entries(root), *(file for file in _CUSTOMARY if (root / file).is_file())]
    match list(dict.fromkeys(candidates)):
        case [only]:
            return Path(only)
        case []:
            raise UnusableSource(
                f"{root} has no entrypoint: none is named in wrangler.toml, deno.json or package.json, and there is no "
                "index, main, worker or src/index file. Choose one with --entrypoint FILE"
            )
        case several:
            raise UnusableSource(
                f"{root} has several possible entrypoints: {', '.join(several)}. Choose one with --entrypoint FILE"
            )


def _declared(root: Path, wrangler: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (file, entrypoint) for what a platform's configuration says, the most specific first."""
    if isinstance(main := wrangler.get("main"), str):
        yield "the Wrangler configuration", main
    deno = _first(root, "deno.json", "deno.jsonc")
    deploy = deno.get("deploy")
    if isinstance(deploy, dict):
        runtime = deploy.get("runtime")
        for table in (deploy, runtime if isinstance(runtime, dict) else {}):
            if isinstance(table.get("entrypoint"), str):
                yield "the Deno configuration", table["entrypoint"]
    exports = deno.get("exports")
    if isinstance(exports, dict):
        exports = exports.get(".")
    if isinstance(exports, str):
        yield "the Deno configuration", exports


def _package_entries(root: Path) -> list[str]:
    # The module form first; "main" is often a default that was never written, so a missing file is passed over.
    package = _first(root, "package.json")
    for key in ("module", "main"):
        entry = package.get(key)
        if isinstance(entry, str) and entry.endswith(SUFFIXES) and (root / entry).is_file():
            return [Path(entry).as_posix()]
    return []


def _wrangler(root: Path) -> dict[str, Any]:
    toml = root / "wrangler.toml"
    if not toml.is_file():
        return _first(root, "wrangler.jsonc", "wrangler.json")
    try:
        return tomllib.loads(toml.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UnusableSource(f"{toml} is not TOML: {error}") from error


def _first(root: Path, *files: str) -> dict[str, Any]:
    for file in files:
        path = root / file
        if path.is_file():
            return _read_jsonc(path)
    return {}


def _read_jsonc(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        for pattern in (_COMMENT, _LAST_COMMA):
            text = pattern.sub(lambda match: match[1] or " ", text)
        value = json.loads(text)
    except ValueError as error:
        raise UnusableSource(f"{path} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UnusableSource(f"{path} is not a JSON object")
    return value
