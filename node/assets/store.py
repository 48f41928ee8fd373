"""Packs on disk, by digest: one file with all contents end to end, and a table of where each begins and which path shows it.

A few files a pack, whatever it holds, so that it is written, synced and verified in one go.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nearhop import log, names, packs
from nearhop.errors import NearhopError
from node.assets import routing

CONTENTS = "contents"
TABLE = "table.json"
SUM = "table.sha256"
_logger = log.get(__name__)


class AssetError(NearhopError):
    """A pack could not be stored or is not what its digest says."""


class AssetStore:
    """The directory *path*. A pack is there whole, under its digest, or not there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._paths: dict[str, frozenset[str]] = {}

    def open(self) -> None:
        """Verify every stored pack; what is not whole is removed, and fetched again when it is wanted."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for entry in self.path.iterdir():
            if names.DIGEST.fullmatch(entry.name) and (table := _verified(entry)) is not None:
                self._paths[entry.name] = _request_paths(table)
            else:
                _logger.warning("a stored pack is not whole; removed", pack=entry.name)
                _remove(entry)

    @property
    def stored(self) -> frozenset[str]:
        """The digests of the packs that are there."""
        return frozenset(self._paths)

    def paths(self, digest: str) -> frozenset[str]:
        """Return every request path, percent-encoded, that a file or a redirect of the pack answers; nothing for one that is not there."""
        return self._paths.get(digest, frozenset())

    def write(self, digest: str, body: bytes) -> None:
        """Store a pack. Blocks on the disk; raises AssetError, and nothing is then there."""
        if hashlib.sha256(body).hexdigest() != digest:
            raise AssetError(f"pack {digest[:12]}: what arrived has another digest")
        draft = self.path / f".{digest[:12]}.{uuid.uuid4().hex}"
        try:
            draft.mkdir(mode=0o700)
            table = _unpack(packs.read(body), draft)
            _remove(self.path / digest)
            draft.rename(self.path / digest)
            _sync(self.path)
        except (OSError, packs.PackError) as error:
            _remove(draft)
            raise AssetError(f"pack {digest[:12]} cannot be stored: {getattr(error, 'strerror', None) or error}") from error  # fmt: skip
        self._paths[digest] = _request_paths(table)

    def remove(self, digest: str) -> None:
        """Forget a pack; requests for it that are being answered go on."""
        self._paths.pop(digest, None)
        _remove(self.path / digest)


def _unpack(pack: packs.Pack, folder: Path) -> dict[str, Any]:
    offsets: dict[str, int] = {}
    with (folder / CONTENTS).open("xb") as file:
        for digest, content in pack.contents():
            offsets[digest] = file.tell()
            file.write(content)
        _flush(file)
    table = make_table(pack.index, offsets)
    text = json.dumps(table, separators=(",", ":")).encode()
    for name, body in ((TABLE, text), (SUM, hashlib.sha256(text).hexdigest().encode())):
        with (folder / name).open("xb") as file:
            file.write(body)
            _flush(file)
    _sync(folder)
    return table


def make_table(index: Mapping[str, Any], offsets: Mapping[str, int]) -> dict[str, Any]:
    """Return what the server needs of a pack: contents as [offset, size, digest], files, and paths that show one (its number) or lead to another."""
    files = []
    for file in index["files"]:
        variants = {coding: _place(file[coding], offsets) for coding in packs.CODINGS if coding in file}
        files.append({"type": file["type"], "content": _place(file, offsets), "variants": variants})
    numbers = {file["path"]: number for number, file in enumerate(index["files"])}
    answers = routing.table(numbers.keys(), index["html_handling"])
    return {
        "not_found": index["not_found_handling"],
        "files": files,
        "numbers": numbers,
        "paths": {
            path: numbers[answer.file] if isinstance(answer, routing.Show) else answer.to
            for path, answer in sorted(answers.items())
        },
        "headers": index["headers"],
        "redirects": index["redirects"],
    }


def _place(content: Mapping[str, Any], offsets: Mapping[str, int]) -> list[int | str]:
    return [offsets[content["sha256"]], content["size"], content["sha256"]]


def _request_paths(table: Mapping[str, Any]) -> frozenset[str]:
    redirects = (rule["from"] for rule in table["redirects"] if not {"*", ":"} & set(rule["from"]))
    return routing.spellings(table["paths"]) | frozenset(redirects)


def _verified(folder: Path) -> dict[str, Any] | None:
    """Return the pack's table when every content is what its digest says."""
    try:
        text = (folder / TABLE).read_bytes()
        if hashlib.sha256(text).hexdigest().encode() != (folder / SUM).read_bytes():
            return None
        table: dict[str, Any] = json.loads(text)
        places = [place for file in table["files"] for place in (file["content"], *file["variants"].values())]
        with (folder / CONTENTS).open("rb") as contents:
            for offset, size, digest in places:
                contents.seek(offset)
                if hashlib.sha256(contents.read(size)).hexdigest() != digest:
                    return None
        _request_paths(table)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return table


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _flush(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
