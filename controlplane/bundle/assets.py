"""Packs of static files: made of a folder at deploy time, judged by the control plane when they arrive.

A pack is deterministic: the same files give the same bytes. See nearhop/packs.py for its form.
"""

import gzip
import hashlib
import io
import json
import os
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import brotli

from controlplane.bundle import ignore, rules, types
from controlplane.bundle.errors import UnusableSource
from controlplane.bundle.settings import AssetSettings
from nearhop import packs

_CONTROL_FILES = frozenset({"_headers", "_redirects", ".assetsignore"})
_SHOWN = 20
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip archive knows
# A variant that spares less than this is not worth a second copy on every node.
_WORTH = 0.95
_SMALL = 256
# Brotli's best quality costs about a second a megabyte.
_BEST_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class AssetPack:
    """A pack, ready to upload. *unpacked_bytes* counts the files once, without their compressed variants."""

    data: bytes
    digest: str
    files: int
    unpacked_bytes: int
    dynamic_redirects: tuple[str, ...] = ()  # sources of redirects that stand for many paths
    warnings: tuple[str, ...] = ()


def validate_pack(data: bytes) -> list[str]:
    """Say why *data* is no pack of static files; an empty list for a good one. Reads every content: call it in a thread."""
    try:
        pack = packs.read(data)
        if reasons := rules.rules_reasons(pack.index):
            return reasons
        for _ in pack.contents():
            pass
    except packs.PackError as error:
        return error.reasons
    return []


def pack(root: Path, settings: AssetSettings) -> AssetPack:
    """Pack the folder of *settings* in the project *root*. Raises UnusableSource with everything that is wrong with it."""
    folder = root / settings.directory
    if not folder.is_dir():
        raise UnusableSource(f"the folder of static files, {settings.directory}, is not there: build it first")
    found, hidden, reasons = _walk(folder, _project_files(root) if folder.resolve() == root.resolve() else frozenset())
    headers, wrong = rules.parse_headers(_control_file(folder, "_headers"))
    reasons += [f"_headers: {reason}" for reason in wrong]
    redirects, wrong = rules.parse_redirects(_control_file(folder, "_redirects"), settings.html_handling)
    reasons += [f"_redirects: {reason}" for reason in wrong]
    reasons += packs.collisions(path for path, _ in found)
    if len(found) > packs.FILES_MAX:
        reasons.append(f"{len(found):,} files; at most {packs.FILES_MAX:,} are allowed")
    if not found and not reasons:
        reasons.append("there is no file")
    _raise(settings.directory, reasons)
    contents: dict[str, bytes] = {}
    index: dict[str, Any] = {
        "format": packs.FORMAT,
        "html_handling": settings.html_handling,
        "not_found_handling": settings.not_found_handling,
        "files": [_file(path, _read(file), contents) for path, file in found],
        "headers": headers,
        "redirects": redirects,
    }
    data = _zip(index, contents)
    if len(data) > packs.PACK_MAX_BYTES:
        _raise(settings.directory, [f"packed, the files have {len(data):,} bytes; at most {packs.PACK_MAX_BYTES:,} are allowed"])  # fmt: skip
    _raise(settings.directory, validate_pack(data))
    warning = (
        f"{settings.directory}: {len(hidden)} hidden files are left out, {hidden[0]} the first; "
        "list them in .assetsignore after a ! to have them served"
        if hidden
        else ""
    )
    return AssetPack(
        data,
        hashlib.sha256(data).hexdigest(),
        len(found),
        sum(file["size"] for file in index["files"]),
        tuple(rule["from"] for rule in redirects if rules.is_dynamic(rule)),
        (warning,) if warning else (),
    )


def _raise(directory: str, reasons: list[str]) -> None:
    if reasons:
        more = [f"and {len(reasons) - _SHOWN} more"] if len(reasons) > _SHOWN else []
        lines = "\n".join(f"  {reason}" for reason in [*reasons[:_SHOWN], *more])
        raise UnusableSource(f"the static files of {directory} cannot be deployed:\n{lines}")


def _project_files(root: Path) -> frozenset[str]:
    """The files of a project whose own folder is the site: they configure it, and are not a part of it."""
    named = (
        "wrangler.toml", "wrangler.json", "wrangler.jsonc", "vercel.json", "deno.json", "deno.jsonc", "deno.lock", "package.json",
        "package-lock.json", "node_modules",
    )  # fmt: skip
    return frozenset(name for name in named if (root / name).exists())


def _walk(folder: Path, not_of_it: frozenset[str]) -> tuple[list[tuple[str, Path]], list[str], list[str]]:
    """Return (path, file) of what is to be served, in order; the hidden files that are left out; and what is wrong with the others."""
    ignored = ignore.parse(_control_file(folder, ".assetsignore"))
    inside = folder.resolve()
    found: list[tuple[str, Path]] = []
    hidden: list[str] = []
    reasons: list[str] = []
    for name, entry in _entries(folder, inside, reasons):
        if name in _CONTROL_FILES or name.split("/")[0] in not_of_it:
            continue
        verdict = ignored(name)
        if verdict is None and any(part.startswith(".") and part != ".well-known" for part in name.split("/")):
            hidden.append(name)
        elif not verdict:
            problem = _file_reason(name, entry, inside)
            if problem is None:
                found.append((f"/{name}", entry))
            else:
                reasons.append(f"{ascii(name)[1:-1]} {problem}")
    return sorted(found), sorted(hidden), sorted(reasons)


def _entries(folder: Path, inside: Path, reasons: list[str]) -> Iterator[tuple[str, Path]]:
    """Yield every entry that is no folder. A linked folder is walked through as long as it stays inside, and once."""
    seen: set[Path] = set()
    pending = [(folder, "")]
    while pending:
        here, prefix = pending.pop()
        if (real := here.resolve()) in seen:
            reasons.append(f"{ascii(prefix)[1:-1]} is linked to a folder that is there already")
            continue
        seen.add(real)
        with os.scandir(here) as entries:
            for entry in entries:
                path, name = here / entry.name, f"{prefix}{entry.name}"
                if entry.name in (".git", "node_modules") or not entry.is_dir():
                    if not entry.is_dir():
                        yield name, path
                elif path.resolve().is_relative_to(inside):
                    pending.append((path, f"{name}/"))
                else:
                    reasons.append(f"{ascii(name)[1:-1]} leads out of the folder")


def _file_reason(name: str, file: Path, inside: Path) -> str | None:
    try:
        status = file.stat()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if not file.resolve().is_relative_to(inside):
        return "leads out of the folder"
    if not stat.S_ISREG(status.st_mode):
        return "is no regular file"
    if name == "_worker.js":
        return "is a program: name it as main in wrangler.toml, or leave it out with .assetsignore"
    if status.st_size > packs.FILE_MAX_BYTES:
        return f"has {status.st_size:,} bytes; at most {packs.FILE_MAX_BYTES:,} are allowed"
    return next(iter(packs.path_reasons(f"/{name}")), None)


def _control_file(folder: Path, name: str) -> str:
    path = folder / name
    if not path.is_file():
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableSource(f"{name} cannot be read: {error}") from error


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UnusableSource(f"{file} cannot be read: {error.strerror}") from error


def _file(path: str, body: bytes, contents: dict[str, bytes]) -> dict[str, Any]:
    kind = types.content_type(path)
    described: dict[str, Any] = {"path": path, **_content(body, contents), "type": kind}
    if types.compressible(kind) and len(body) >= _SMALL:
        quality = 11 if len(body) <= _BEST_MAX_BYTES else 9
        for coding, made in (
            ("br", brotli.compress(body, quality=quality)),
            ("gzip", gzip.compress(body, 9, mtime=0)),
        ):
            if len(made) <= len(body) * _WORTH:
                described[coding] = _content(made, contents)
    return described


def _content(body: bytes, contents: dict[str, bytes]) -> dict[str, Any]:
    digest = hashlib.sha256(body).hexdigest()
    contents[digest] = body
    return {"sha256": digest, "size": len(body)}


def _zip(index: dict[str, Any], contents: dict[str, bytes]) -> bytes:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        _entry(archive, packs.INDEX, json.dumps(index, separators=(",", ":"), ensure_ascii=True).encode())
        for digest, body in sorted(contents.items()):
            _entry(archive, digest, body)
    return output.getvalue()


def _entry(archive: zipfile.ZipFile, name: str, body: bytes) -> None:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.create_system = 3
    info.external_attr = 0o644 << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, body, compresslevel=6)
