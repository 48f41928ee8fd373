"""Packs of static files: a zip archive that holds index.json and, named by their SHA-256, the contents that it tells of.

No entry carries a path, so that no archive can write outside of its place. Whoever reads one trusts nothing in it: sizes are bounded
before anything is inflated, every content is hashed, and what the index does not name is refused.
"""

import hashlib
import io
import json
import re
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nearhop.errors import NearhopError

PACK_MAX_BYTES = 10 << 20  # the bundle store's limit
FILE_MAX_BYTES = 25 << 20  # Cloudflare's
FILES_MAX = 20_000  # Cloudflare's
UNPACKED_MAX_BYTES = 256 << 20
INDEX_MAX_BYTES = 16 << 20
PATH_MAX_CHARACTERS = 1024
INDEX = "index.json"
FORMAT = 1
HTML_HANDLING = ("auto-trailing-slash", "force-trailing-slash", "drop-trailing-slash", "none")
NOT_FOUND_HANDLING = ("none", "404-page", "single-page-application")
CODINGS = ("br", "gzip")

_DIGEST = re.compile(r"[0-9a-f]{64}")
_TYPE = re.compile(r"[a-z0-9.+-]+/[a-z0-9.+-]+(; charset=utf-8)?")
_SCHEMA: Mapping[str, type] = {
    "format": int, "html_handling": str, "not_found_handling": str, "files": list, "headers": list, "redirects": list,
}  # fmt: skip
_FILE_KEYS = {"path", "sha256", "size", "type", *CODINGS}
_STORED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    struct.error,
    NotImplementedError,
    RuntimeError,
    OSError,
    ValueError,
)


class PackError(NearhopError):
    """The bytes are no pack; *reasons* says why."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = list(reasons)


@dataclass(frozen=True, slots=True)
class Pack:
    """An archive whose index has been judged; contents() judges the rest."""

    index: Mapping[str, Any]
    sizes: Mapping[str, int]  # of every content, by digest
    _data: bytes

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Yield each digest with its content, verified. Raises PackError."""
        with zipfile.ZipFile(io.BytesIO(self._data)) as archive:
            for digest, size in self.sizes.items():
                body = _inflate(archive, digest, size)
                if len(body) != size or hashlib.sha256(body).hexdigest() != digest:
                    raise PackError([f"content {digest[:12]} is not what its name says"])
                yield digest, body


def read(data: bytes) -> Pack:
    """Read and judge *data*'s archive and index. Raises PackError."""
    if len(data) > PACK_MAX_BYTES:
        raise PackError([f"has {len(data):,} bytes; at most {PACK_MAX_BYTES:,} are allowed"])
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if reasons := _entry_reasons(archive.infolist()):
                raise PackError(reasons)
            index = json.loads(_inflate(archive, INDEX, INDEX_MAX_BYTES))
    except (*_UNREADABLE, RecursionError) as error:
        raise PackError([f"is not a pack: {error}"]) from error
    if reasons := index_reasons(index):
        raise PackError(reasons)
    contents = {(item["sha256"], item["size"]) for file in index["files"] for item in _contents(file)}
    sizes = dict(contents)
    if len(sizes) != len(contents):
        raise PackError(["gives one content several sizes"])
    names = [info.filename for info in archive.infolist() if info.filename != INDEX]
    if sorted(names) != sorted(sizes):
        raise PackError(["holds other contents than its index names"])
    if sum(sizes.values()) > UNPACKED_MAX_BYTES:
        raise PackError([f"unpacks to more than {UNPACKED_MAX_BYTES:,} bytes"])
    return Pack(index, sizes, data)


def _entry_reasons(entries: Sequence[zipfile.ZipInfo]) -> list[str]:
    names = [entry.filename for entry in entries]
    if len(names) > 3 * FILES_MAX + 1:
        return [f"holds {len(names):,} entries"]
    if len(set(names)) != len(names):
        return ["holds an entry twice"]
    if INDEX not in names:
        return [f"holds no {INDEX}"]
    odd = [e.filename for e in entries if not (e.filename == INDEX or _DIGEST.fullmatch(e.filename))]
    if odd:
        return [f"holds an entry that is no content: {odd[0][:80]!a}"]
    if any(entry.flag_bits & 0x1 or entry.compress_type not in _STORED for entry in entries):
        return ["holds an entry that is encrypted or compressed by another method than deflate"]
    return []


def _inflate(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    try:
        with archive.open(name) as file:
            body = file.read(limit + 1)
    except _UNREADABLE as error:
        raise PackError([f"entry {name[:12]} cannot be read: {error}"]) from error
    if len(body) > limit:
        raise PackError([f"entry {name[:12]} unpacks to more than it should"])
    return body


def index_reasons(index: Any) -> list[str]:
    """Say why *index* is not a pack's index, but for its header and redirect rules, which whoever makes one judges."""
    if not isinstance(index, dict) or any(not isinstance(index.get(key), kind) for key, kind in _SCHEMA.items()):
        return [f"{INDEX} is not an object with {', '.join(_SCHEMA)}"]
    if index["format"] != FORMAT:
        return [f"{INDEX} has the format {index['format']}, not {FORMAT}"]
    if index["html_handling"] not in HTML_HANDLING or index["not_found_handling"] not in NOT_FOUND_HANDLING:
        return [f"{INDEX}: html_handling or not_found_handling is none that there is"]
    if len(index["files"]) > FILES_MAX:
        return [f"{len(index['files']):,} files; at most {FILES_MAX:,} are allowed"]
    return [reason for number, file in enumerate(index["files"]) for reason in _file_reasons(number, file)][:20] or (
        collisions(file["path"] for file in index["files"])
    )


def _file_reasons(number: int, file: Any) -> list[str]:
    if not isinstance(file, dict) or not file.keys() <= _FILE_KEYS or not isinstance(file.get("path"), str):
        return [f"{INDEX}: file {number} is not of the form that a file has"]
    if reasons := path_reasons(file["path"]):
        return [f"{file['path'][:200]!a} {reason}" for reason in reasons]
    if not isinstance(file.get("type"), str) or not _TYPE.fullmatch(file["type"]):
        return [f"{file['path']} has no content type that can be sent"]
    for item in _contents(file):
        if not isinstance(item, dict) or not _DIGEST.fullmatch(str(item.get("sha256"))):
            return [f"{file['path']} has no SHA-256"]
        if type(item.get("size")) is not int or not 0 <= item["size"] <= FILE_MAX_BYTES:
            return [f"{file['path']} has no size from 0 to {FILE_MAX_BYTES:,} bytes"]
    return []


def _contents(file: Mapping[str, Any]) -> list[Any]:
    return [file, *(file[coding] for coding in CODINGS if coding in file)]


def path_reasons(path: str) -> list[str]:
    """Say why *path*, which begins with a slash, cannot be a file's."""
    if len(path) > PATH_MAX_CHARACTERS:
        return [f"has {len(path)} characters; at most {PATH_MAX_CHARACTERS} are allowed"]
    if not path.startswith("/") or any(part in ("", ".", "..") for part in path[1:].split("/")):
        return ["is no path of a file"]
    if any(not char.isprintable() for char in path) or "\\" in path:
        return ["holds a control character, a lone surrogate or a backslash"]
    return []


def collisions(paths: Iterable[str]) -> list[str]:
    """Name the *paths* that differ only by letter case or by Unicode's normal form: not every disk and not every client tells them apart."""
    seen: dict[str, str] = {}
    reasons = []
    for path in paths:
        folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
        if folded in seen:
            twin = f"and {seen[folded]} differ only by letter case or Unicode form"
            reasons.append(f"{path} {twin if seen[folded] != path else 'is there twice'}")
        seen[folded] = path
    return reasons[:20]
