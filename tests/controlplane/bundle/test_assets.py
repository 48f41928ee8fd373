"""Packs of static files: what of a folder gets into one, and what does not pass."""

import gzip
import os
import shutil
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import brotli
import pytest

from controlplane.bundle import validate_pack
from controlplane.bundle.assets import AssetPack, pack
from controlplane.bundle.errors import UnusableSource
from controlplane.bundle.settings import AssetSettings
from nearhop import packs

PAGE = "<!doctype html><p>words that are often there</p>\n" * 50


def folder(root: Path, **files: str | bytes) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def packed(root: Path, directory: str = ".", **more: Any) -> AssetPack:
    return pack(root, AssetSettings(directory, **more))


def paths(made: AssetPack) -> list[str]:
    return [file["path"] for file in packs.read(made.data).index["files"]]


def test_a_folder_becomes_a_pack(tmp_path: Path) -> None:
    folder(
        tmp_path,
        **{"index.html": PAGE, "img/a.png": b"\x89PNG", "_headers": "/*\n  X: y\n", "_redirects": "/old /new 301\n"},
    )
    made = packed(tmp_path, html_handling="none", not_found_handling="404-page")
    read = packs.read(made.data)
    contents = dict(read.contents())
    [page, image] = sorted(read.index["files"], key=lambda file: file["type"], reverse=True)
    assert (page["path"], page["type"]) == ("/index.html", "text/html; charset=utf-8")
    assert contents[page["sha256"]] == PAGE.encode()
    assert gzip.decompress(contents[page["gzip"]["sha256"]]) == PAGE.encode()
    assert brotli.decompress(contents[page["br"]["sha256"]]) == PAGE.encode()
    assert image == {"path": "/img/a.png", "sha256": image["sha256"], "size": 4, "type": "image/png"}
    assert read.index["headers"] == [{"path": "/*", "set": [["x", "y"]], "unset": []}]
    assert read.index["redirects"] == [{"from": "/old", "to": "/new", "status": 301}]
    assert (read.index["html_handling"], read.index["not_found_handling"]) == ("none", "404-page")
    assert (made.files, made.unpacked_bytes, made.warnings) == (2, len(PAGE) + 4, ())
    assert validate_pack(made.data) == []


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", **{"b.txt": "b", "a/c.txt": PAGE, "a.txt": "a"})
    two = tmp_path / "two"
    shutil.copytree(one, two)
    os.utime(two / "b.txt", (1, 1))
    (two / "b.txt").chmod(0o600)
    assert packed(one).data == packed(two).data


def test_what_does_not_shrink_has_no_variant(tmp_path: Path) -> None:
    folder(tmp_path, **{"noise.txt": os.urandom(4000), "small.html": "<p>"})
    files = packs.read(packed(tmp_path).data).index["files"]
    assert all("br" not in file and "gzip" not in file for file in files)


def test_hidden_files_stay_out_and_are_told(tmp_path: Path) -> None:
    folder(tmp_path, **{"a.txt": "a", ".env": "SECRET=1", "x/.DS_Store": "x", ".well-known/b": "b"})
    folder(tmp_path, **{".git/config": "x", "node_modules/x/index.js": "x"})
    made = packed(tmp_path)
    assert paths(made) == ["/.well-known/b", "/a.txt"]
    assert "2 hidden files are left out, .env the first" in made.warnings[0]


def test_assetsignore(tmp_path: Path) -> None:
    files = {"a.txt": "a", "b.map": "b", "x/c.map": "c", ".hidden": "h", "draft/d.txt": "d"}
    folder(tmp_path, **files, **{".assetsignore": "*.map\n!/b.map\ndraft/\n!.hidden\n"})
    made = packed(tmp_path)
    assert paths(made) == ["/.hidden", "/a.txt", "/b.map"]
    assert made.warnings == ()


def test_the_configuration_of_a_project_is_no_part_of_its_own_folder(tmp_path: Path) -> None:
    folder(tmp_path, **{"index.html": "x", "wrangler.toml": "x", "package.json": "{}", "sub/package.json": "{}"})
    assert paths(packed(tmp_path)) == ["/index.html", "/sub/package.json"]
    assert paths(packed(tmp_path, "sub")) == ["/package.json"]


def test_links_may_not_lead_out(tmp_path: Path) -> None:
    root = folder(tmp_path / "site", **{"a.txt": "a", "real/b.txt": "b"})
    folder(tmp_path / "outside", **{"secret.txt": "s"})
    (root / "inside.txt").symlink_to(root / "a.txt")
    assert paths(packed(root)) == ["/a.txt", "/inside.txt", "/real/b.txt"]
    (root / "out.txt").symlink_to(tmp_path / "outside" / "secret.txt")
    (root / "folder").symlink_to(tmp_path / "outside")
    (root / "dangling").symlink_to(root / "nope")
    (root / "loop").symlink_to(root)
    with pytest.raises(UnusableSource) as caught:
        packed(root)
    for reason in ("out.txt leads out", "folder leads out", "dangling cannot be read", "loop/ is linked to a folder"):
        assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a\nb", "a\\nb holds a control character"),
        ("a\x1b[2J", "holds a control character"),
        ("a\u202eb", "holds a control character"),
        ("a\\b", "or a backslash"),
        ("_worker.js", "_worker.js is a program"),
    ],
)
def test_odd_names_are_told(tmp_path: Path, name: str, reason: str) -> None:
    folder(tmp_path, **{"a.txt": "a", name: "x"})
    with pytest.raises(UnusableSource) as caught:
        packed(tmp_path)
    assert reason in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_names_that_are_no_text_are_told(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"a\xff.txt")).write_text("x")
    with pytest.raises(UnusableSource, match="lone surrogate"):
        packed(tmp_path)


def test_twins_are_told(tmp_path: Path) -> None:
    folder(tmp_path, **{"Logo.png": "1", "logo.png": "2", "caf\u00e9.txt": "3", "cafe\u0301.txt": "4"})
    with pytest.raises(UnusableSource) as caught:
        packed(tmp_path)
    assert str(caught.value).count("differ only by letter case or Unicode form") == 2


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnusableSource, match="pipe is no regular file"):
        packed(tmp_path)


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path, **{"a.txt": "12345", "b.txt": "1"})
    monkeypatch.setattr(packs, "FILE_MAX_BYTES", 4)
    with pytest.raises(UnusableSource, match=r"a\.txt has 5 bytes; at most 4"):
        packed(tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(packs, "FILES_MAX", 1)
    with pytest.raises(UnusableSource, match="2 files; at most 1"):
        packed(tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(packs, "PACK_MAX_BYTES", 100)
    with pytest.raises(UnusableSource, match="packed, the files have"):
        packed(tmp_path)


def test_folders_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UnusableSource, match="dist, is not there: build it first"):
        packed(tmp_path, "dist")
    with pytest.raises(UnusableSource, match="there is no file"):
        packed(tmp_path)


def test_bad_rules_are_told_with_their_lines_all_at_once(tmp_path: Path) -> None:
    folder(tmp_path, **{"a.txt": "a", "_headers": "/*\n  nonsense\n", "_redirects": "\n/a b\n"})
    with pytest.raises(UnusableSource) as caught:
        packed(tmp_path)
    assert "_headers: line 2: neither a path nor a header" in str(caught.value)
    assert "_redirects: line 2: b is neither a path" in str(caught.value)
    (tmp_path / "_headers").write_bytes(b"\xff")
    with pytest.raises(UnusableSource, match="_headers cannot be read"):
        packed(tmp_path)


def test_many_reasons_are_cut(tmp_path: Path) -> None:
    folder(tmp_path, **{"a.txt": "a", "_redirects": "x y\n" * 30})
    with pytest.raises(UnusableSource, match="and 10 more"):
        packed(tmp_path)


def test_dynamic_redirects_are_named(tmp_path: Path) -> None:
    folder(tmp_path, **{"a.txt": "a", "_redirects": "/a /b\n/c/* /d\n"})
    assert packed(tmp_path).dynamic_redirects == ("/c/*",)


def test_hostile_rules_are_refused_whoever_packed_them(tmp_path: Path) -> None:
    folder(tmp_path, **{"a.txt": "a", "_redirects": "/old /new\n"})
    made = packed(tmp_path).data
    output = BytesIO()
    with zipfile.ZipFile(BytesIO(made)) as before, zipfile.ZipFile(output, "w") as after:
        for name in before.namelist():
            body = before.read(name)
            after.writestr(name, body.replace(b'"to":"/new"', b'"to":"//x/"') if name == "index.json" else body)
    assert validate_pack(made) == []
    assert "is no place to go to" in validate_pack(output.getvalue())[0]
    assert validate_pack(b"PK")[0].startswith("is not a pack")
