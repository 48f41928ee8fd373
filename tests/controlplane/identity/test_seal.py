"""Sealing under the key-encryption key."""

from pathlib import Path

import pytest

from controlplane.identity.seal import Seal, SealBroken, read_key, write_key
from nearhop.errors import InvalidInput


def test_what_was_sealed_opens_in_its_place_only() -> None:
    seal = Seal(bytes(32))
    sealed = seal.close(b"secret", "/here")
    assert b"secret" not in sealed
    assert seal.open(sealed, "/here") == b"secret"
    with pytest.raises(SealBroken):
        seal.open(sealed, "/there")
    with pytest.raises(SealBroken):
        Seal(bytes(31) + b"\1").open(sealed, "/here")
    with pytest.raises(SealBroken):
        seal.open(sealed[:-1] + bytes([sealed[-1] ^ 1]), "/here")
    with pytest.raises(SealBroken):
        seal.open(b"", "/here")


def test_each_sealing_differs() -> None:
    seal = Seal(bytes(32))
    assert seal.close(b"secret", "/here") != seal.close(b"secret", "/here")


def test_a_key_file_is_private_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "kek"
    write_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    sealed = read_key(path).close(b"secret", "/here")
    assert read_key(path).open(sealed, "/here") == b"secret"


@pytest.mark.parametrize("text", ["", "00", "zz" * 32, "00" * 33, "é" * 64])
def test_another_file_is_no_key(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kek"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInput, match="no key-encryption key"):
        read_key(path)
