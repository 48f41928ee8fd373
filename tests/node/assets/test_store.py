"""Packs on disk: whole and verified, or not there."""

import hashlib
import json
from pathlib import Path

import pytest

from node.assets.store import AssetError, AssetStore
from tests.node.assets.conftest import make_pack, put, site


def reopened(store: AssetStore) -> AssetStore:
    again = AssetStore(store.path)
    again.open()
    return again


def test_a_pack_is_stored_and_found_again(store: AssetStore) -> None:
    redirects = [{"from": source, "to": "/", "status": 301} for source in ("/old", "/x/*", "/y/:z")]
    digest = put(store, site("/index.html", "/a b.bin", redirects=redirects))
    assert store.stored == {digest}
    assert store.paths(digest) >= {"/", "/index", "/index.html", "/a%20b.bin", "/old"}
    assert not [path for path in store.paths(digest) if "*" in path or ":" in path]
    again = reopened(store)
    assert (again.stored, again.paths(digest)) == ({digest}, store.paths(digest))


def test_storing_twice_is_storing_once(store: AssetStore) -> None:
    pack = site("/index.html")
    assert put(store, pack) == put(store, pack)
    assert [entry.name for entry in store.path.iterdir()] == list(store.stored)


def test_a_pack_is_removed_and_the_others_stay(store: AssetStore) -> None:
    one, two = put(store, site("/1.bin")), put(store, site("/2.bin"))
    store.remove(one)
    assert store.stored == {two}
    assert store.paths(one) == frozenset()
    assert not (store.path / one).exists()
    store.remove(two)
    store.remove(two)
    assert list(store.path.iterdir()) == []


def test_another_digest_and_no_pack_are_refused(store: AssetStore) -> None:
    with pytest.raises(AssetError, match="another digest"):
        store.write("0" * 64, site("/a.bin"))
    junk = b"PK nothing"
    with pytest.raises(AssetError, match="is not a pack"):
        store.write(hashlib.sha256(junk).hexdigest(), junk)
    assert list(store.path.iterdir()) == []


@pytest.mark.parametrize("file", ["contents", "table.json", "table.sha256"])
@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_damage_on_disk_is_noticed(store: AssetStore, file: str, damage: str) -> None:
    digest = put(store, make_pack({"/index.html": b"x" * 1000}))
    path = store.path / digest / file
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(body if damage == "flip" else body[:-1])
    again = reopened(store)
    assert again.stored == frozenset()
    assert list(store.path.iterdir()) == []


def test_what_an_interrupted_write_left_is_removed(store: AssetStore) -> None:
    (store.path / ".0123.abc").mkdir()
    (store.path / ".0123.abc" / "contents").write_bytes(b"half")
    (store.path / "stray").write_text("x")
    assert reopened(store).stored == frozenset()
    assert list(store.path.iterdir()) == []


@pytest.mark.parametrize("stage", ["mkdir", "rename"])
def test_a_full_disk_leaves_nothing(store: AssetStore, stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, stage, full)
    with pytest.raises(AssetError, match="No space left on device"):
        put(store, site("/a.bin"))
    monkeypatch.undo()
    assert store.stored == frozenset()
    assert list(store.path.iterdir()) == []


def test_one_content_is_stored_once(store: AssetStore) -> None:
    digest = put(store, make_pack({"/1.bin": b"same" * 100, "/2.bin": b"same" * 100}))
    assert (store.path / digest / "contents").stat().st_size == 400
    files = json.loads((store.path / digest / "table.json").read_bytes())["files"]
    assert files[0]["content"] == files[1]["content"]
