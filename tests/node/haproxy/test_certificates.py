"""What an operator may leave in the folder of certificates."""

from pathlib import Path

import pytest

from node.haproxy import certificates
from tests.node.haproxy.pems import NOW, pem


def test_both_forms_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_text("".join(pem("a.example.org", "*.a.example.org")))
    chain, key = pem("b.example.org")
    (tmp_path / "b.crt").write_text(chain)
    (tmp_path / "b.key").write_text(key)
    (tmp_path / "notes.txt").write_text("not looked at")
    found = certificates.read(tmp_path, NOW)
    assert found.warnings == ()
    assert {name: item.names for name, item in found.certificates.items()} == {
        "a": ("a.example.org", "*.a.example.org"),
        "b": ("b.example.org",),
    }
    assert all("PRIVATE KEY" in item.pem and "CERTIFICATE" in item.pem for item in found.certificates.values())


@pytest.mark.parametrize(("days", "words"), [(-1, "has expired on"), (5, "expires on"), (90, "")])
def test_an_expired_certificate_is_served_with_a_warning(tmp_path: Path, days: int, words: str) -> None:
    (tmp_path / "a.pem").write_text("".join(pem("a.example.org", days=days)))
    found = certificates.read(tmp_path, NOW)
    assert found.certificates.keys() == {"a"}
    assert [warning for warning in found.warnings if words in warning] == list(found.warnings)
    assert bool(found.warnings) == bool(words)


def test_what_cannot_be_served_is_named_and_left_out(tmp_path: Path) -> None:
    (tmp_path / "good.pem").write_text("".join(pem("a.example.org")))
    (tmp_path / "mixed.pem").write_text("".join(pem("b.example.org", other_key=True)))
    (tmp_path / "nameless.pem").write_text("".join(pem()))
    (tmp_path / "keyless.crt").write_text(pem("c.example.org")[0])
    (tmp_path / "empty.pem").write_text("")
    (tmp_path / "long.pem").write_text("".join(pem("d.example.org")) + pem("e.example.org")[0] * 40)
    found = certificates.read(tmp_path, NOW)
    assert found.certificates.keys() == {"good"}
    assert len(found.warnings) == 5
    for name, words in (("mixed.pem", "key is not"), ("nameless.pem", "names no host"), ("long.pem", "bytes")):
        assert any(warning.startswith(name) and words in warning for warning in found.warnings)


def test_a_folder_that_holds_none_is_said(tmp_path: Path) -> None:
    assert "holds no certificate" in certificates.read(tmp_path, NOW).warnings[0]
    assert "No such file" in certificates.read(tmp_path / "missing", NOW).warnings[0]
