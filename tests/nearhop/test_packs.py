"""Packs from anybody: bounded before they are unpacked, hashed before they are believed."""

import hashlib
import io
import json
import struct
import time
import zipfile
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nearhop import packs
from nearhop.packs import PackError


def sha(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def described(path: str, body: bytes, **more: Any) -> dict[str, Any]:
    return {"path": path, "sha256": sha(body), "size": len(body), "type": "text/plain; charset=utf-8", **more}


def index(*files: dict[str, Any], **more: Any) -> dict[str, Any]:
    empty = {"format": 1, "html_handling": "none", "not_found_handling": "none", "headers": [], "redirects": []}
    return {**empty, "files": list(files), **more}


def archive(
    made: Any, *contents: bytes, extra: dict[str, bytes] | None = None, method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", method) as file:
        file.writestr("index.json", json.dumps(made))
        for body in contents:
            file.writestr(sha(body), body)
        for name, body in (extra or {}).items():
            file.writestr(name, body)
    return output.getvalue()


def reasons(data: bytes) -> str:
    try:
        for _ in packs.read(data).contents():
            pass
    except PackError as error:
        return "; ".join(error.reasons)
    return ""


GOOD = archive(
    index(described("/a", b"aa"), described("/b", b"b", br={"sha256": sha(b"c"), "size": 1})), b"aa", b"b", b"c"
)


def test_a_good_pack() -> None:
    pack = packs.read(GOOD)
    assert [file["path"] for file in pack.index["files"]] == ["/a", "/b"]
    assert dict(pack.contents()) == {sha(body): body for body in (b"aa", b"b", b"c")}
    assert reasons(archive(index())) == ""


A = described("/a", b"a")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is not a pack"),
        (b"PK\x05\x06" + b"\0" * 18, "holds no index.json"),
        (archive(index(A), b"a")[:-30], "is not a pack"),
        (archive([], b"a"), "index.json is not an object with"),
        (archive({"format": 1}), "index.json is not an object with"),
        (archive(index(format=2)), "has the format 2"),
        (archive(index(html_handling="x")), "html_handling"),
        (archive(index(not_found_handling="x")), "not_found_handling"),
        (archive(index(A)), "other contents than its index names"),
        (archive(index(A), b"a", b"b"), "other contents than its index names"),
        (archive(index(A), b"a", extra={"../../etc/passwd": b"x"}), "an entry that is no content: '../../etc/passwd'"),
        (archive(index(A), b"a", extra={"/etc/passwd": b"x"}), "an entry that is no content"),
        (archive(index(A), b"a", extra={sha(b"a").upper(): b"x"}), "an entry that is no content"),
        (archive(index(A), b"a", extra={"x/": b""}), "an entry that is no content"),
        (archive(index(A), b"a", method=zipfile.ZIP_BZIP2), "by another method than deflate"),
        (archive(index(A), extra={sha(b"a"): b"b"}), "is not what its name says"),
        (archive(index(A | {"size": 2}), b"a"), "is not what its name says"),
        (archive(index(A | {"size": 0}), b"a"), "unpacks to more than it should"),
        (archive(index(A, described("/b", b"a") | {"size": 2}), b"a"), "gives one content several sizes"),
        (archive(index(A, A), b"a"), "/a is there twice"),
        (archive(index(A, described("/A", b"a")), b"a"), "differ only by letter case"),
        (archive(index(A | {"more": 1}), b"a"), "file 0 is not of the form"),
        (archive(index(A | {"path": 1}), b"a"), "file 0 is not of the form"),
        (archive(index(1), b"a"), "file 0 is not of the form"),  # type: ignore[arg-type]
        (archive(index(A | {"sha256": "x"}), b"a"), "/a has no SHA-256"),
        (archive(index(A | {"br": 1}), b"a"), "/a has no SHA-256"),
        (archive(index(A | {"size": -1}), b"a"), "/a has no size"),
        (archive(index(A | {"size": True}), b"a"), "/a has no size"),
        (archive(index(A | {"size": 1 << 60}), b"a"), "/a has no size"),
        (archive(index(A | {"type": "a/b\r\nx: y"}), b"a"), "no content type that can be sent"),
        (archive(index(A | {"path": "a"}), b"a"), "is no path of a file"),
        (archive(index(A | {"path": "/../a"}), b"a"), "is no path of a file"),
        (archive(index(A | {"path": "/a//b"}), b"a"), "is no path of a file"),
        (archive(index(A | {"path": "/a\n"}), b"a"), "control character"),
        (archive(index(A | {"path": "/\ud800"}), b"a"), "lone surrogate"),
        (archive(index(A | {"path": "/" + "a" * 2000}), b"a"), "has 2001 characters"),
    ],
)  # fmt: skip
def test_what_is_no_pack(data: bytes, reason: str) -> None:
    assert reason in reasons(data)


def test_an_entry_twice_is_refused() -> None:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as file:
        file.writestr("index.json", json.dumps(index(A)))
        file.writestr(sha(b"a"), b"a")
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr(sha(b"a"), b"b")
    assert reasons(output.getvalue()) == "holds an entry twice"


def test_an_encrypted_entry_is_refused() -> None:
    made = bytearray(GOOD)
    made[made.rindex(b"PK\x01\x02") + 8] |= 1
    assert "encrypted" in reasons(bytes(made))


def test_an_index_that_is_nested_too_deeply_is_refused() -> None:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("index.json", "[" * 100_000)
    assert "is not a pack" in reasons(output.getvalue())


def test_bombs_cost_little(monkeypatch: pytest.MonkeyPatch) -> None:
    zeros = b"\0" * (30 << 20)
    honest = archive(index(described("/a", zeros)), zeros)
    lying = archive(index(described("/a", b"x") | {"sha256": sha(zeros)}), zeros)
    great = archive(index() | {"padding": " " * (17 << 20)})
    assert max(map(len, (honest, lying, great))) < 100_000
    began = time.perf_counter()
    assert "/a has no size" in reasons(honest)
    assert "unpacks to more than it should" in reasons(lying)
    assert "unpacks to more than it should" in reasons(great)
    # The archive's own directory may lie about sizes as well.
    forged = bytearray(lying)
    at = forged.rindex(b"PK\x01\x02")
    struct.pack_into("<I", forged, at + 24, 1)
    assert reasons(bytes(forged)) != ""
    assert time.perf_counter() - began < 5
    monkeypatch.setattr(packs, "UNPACKED_MAX_BYTES", 3)
    assert "unpacks to more than 3 bytes" in reasons(GOOD)
    monkeypatch.setattr(packs, "PACK_MAX_BYTES", 10)
    assert "at most 10 are allowed" in reasons(GOOD)
    monkeypatch.undo()
    monkeypatch.setattr(packs, "FILES_MAX", 1)
    assert "2 files; at most 1" in reasons(GOOD)
    monkeypatch.setattr(packs, "FILES_MAX", 0)
    assert "holds 4 entries" in reasons(GOOD)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255), st.booleans())
def test_a_damaged_pack_is_refused_or_still_good(at: int, flip: int, cut: bool) -> None:
    made = bytearray(GOOD)
    made[at] ^= flip
    data = bytes(made[:at] if cut else made)
    if reasons(data) == "":
        assert dict(packs.read(data).contents()) == dict(packs.read(GOOD).contents())


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    assert reasons(data) != ""
