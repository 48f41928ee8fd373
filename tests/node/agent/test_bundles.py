import hashlib
import os
from pathlib import Path

import pytest

from node.agent.bundles import BundleError, BundleStore
from node.agent.codec import BUNDLE_MAX_BYTES

BODY = b"export default { fetch() {} }"
DIGEST = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> BundleStore:
    store = BundleStore(tmp_path / "bundles")
    store.open()
    return store


def test_chunks_become_a_bundle(store: BundleStore) -> None:
    assert store.receive(DIGEST, 0, BODY[:5], last=False) is None
    body = store.receive(DIGEST, 5, BODY[5:], last=True)
    assert body == BODY
    store.write(DIGEST, body)
    assert store.stored == {DIGEST}
    assert store.read(DIGEST) == BODY


def test_a_small_bundle_in_memory_is_read_at_once(store: BundleStore, tmp_path: Path) -> None:
    store.write(DIGEST, BODY)
    assert store.read_at_once(DIGEST) == BODY
    large = bytes(300 << 10)
    store.write(hashlib.sha256(large).hexdigest(), large)
    assert store.read_at_once(hashlib.sha256(large).hexdigest()) is None
    assert store.read_at_once("0" * 64) is None
    (tmp_path / "bundles" / DIGEST).write_bytes(BODY[:-1] + b"\0")
    assert store.read_at_once(DIGEST) is None  # read() says what is wrong with it


def test_chunks_that_do_not_fit_are_refused(store: BundleStore) -> None:
    for offset, data, last in ((1, BODY, True), (0, BODY + b"!", True), (0, bytes(BUNDLE_MAX_BYTES + 1), False)):
        with pytest.raises(BundleError):
            store.receive(DIGEST, offset, data, last=last)
    store.receive(DIGEST, 0, BODY[:5], last=False)
    store.forget_arrivals()
    assert store.receive(DIGEST, 0, BODY, last=True) == BODY


def test_damage_is_found_at_the_start_and_at_a_read(store: BundleStore, tmp_path: Path) -> None:
    store.write(DIGEST, BODY)
    file = tmp_path / "bundles" / DIGEST
    file.write_bytes(BODY[:-1] + b"\0")
    with pytest.raises(BundleError, match="damaged"):
        store.read(DIGEST)
    assert store.stored == frozenset()
    store.write(DIGEST, BODY)
    file.write_bytes(b"")
    (tmp_path / "bundles" / f".{DIGEST}.tmp").write_bytes(b"half")
    again = BundleStore(tmp_path / "bundles")
    again.open()
    assert again.stored == frozenset()
    assert list((tmp_path / "bundles").iterdir()) == []


def test_a_bundle_that_is_gone(store: BundleStore, tmp_path: Path) -> None:
    store.write(DIGEST, BODY)
    (tmp_path / "bundles" / DIGEST).unlink()
    with pytest.raises(BundleError, match="cannot be read"):
        store.read(DIGEST)
    store.write(DIGEST, BODY)
    store.remove(DIGEST)
    store.remove(DIGEST)
    assert store.stored == frozenset()


def test_a_full_disk_leaves_no_half_file(store: BundleStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(BundleError, match="No space left on device"):
        store.write(DIGEST, BODY)
    assert store.stored == frozenset()
    assert list((tmp_path / "bundles").iterdir()) == []
