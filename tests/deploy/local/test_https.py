"""The development authority: what it signs is believed by those who trust it, and only for the zone."""

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.local import https

ZONE = "nearhop.test"


def handshake(folder: Path, name: str, trusted: Path) -> str:
    """Connect to a server with the certificate as *name*; return what goes wrong, or nothing."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / f"{ZONE}.pem")
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            server.wrap_socket(theirs, server_side=True).close()
        except OSError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        ssl.create_default_context(cafile=trusted).wrap_socket(ours, server_hostname=name).close()
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    else:
        return ""
    finally:
        ours.close()
        thread.join()


def test_it_is_believed_for_functions_of_the_zone(tmp_path: Path) -> None:
    folder = https.prepare(tmp_path, ZONE)
    assert handshake(folder, f"hello.{ZONE}", tmp_path / https.AUTHORITY) == ""
    assert "Hostname mismatch" in handshake(folder, "hello.example.org", tmp_path / https.AUTHORITY)
    assert "permitted subtree" in handshake(https.prepare(tmp_path / "other", ZONE), f"a.{ZONE}", _forged(tmp_path))


def _forged(tmp_path: Path) -> Path:
    """Sign the zone's names with an authority for another zone, in place of what is in tmp_path/other."""
    https.prepare(tmp_path / "forger", "example.org")
    certificate, key = https._leaf(tmp_path / "forger", ZONE, datetime.now(UTC))
    https._write(
        tmp_path / "other" / "https" / f"{ZONE}.pem",
        certificate.public_bytes(https.Encoding.PEM) + https._pem(key),
        mode=0o600,
    )
    return tmp_path / "forger" / https.AUTHORITY


@pytest.mark.parametrize(("days", "renewed"), [(1, False), (70, True)])
def test_it_is_renewed_in_time_under_the_same_authority(tmp_path: Path, days: int, renewed: bool) -> None:
    folder = https.prepare(tmp_path, ZONE)
    authority, leaf = (tmp_path / https.AUTHORITY).read_bytes(), (folder / f"{ZONE}.pem").read_bytes()
    https.prepare(tmp_path, ZONE, datetime.now(UTC) + timedelta(days=days))
    assert (tmp_path / https.AUTHORITY).read_bytes() == authority
    assert ((folder / f"{ZONE}.pem").read_bytes() != leaf) == renewed


def test_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    folder = https.prepare(tmp_path / "keys", ZONE)
    assert {(tmp_path / "keys" / "development-ca.key").stat().st_mode & 0o777} == {0o600}
    assert (folder / f"{ZONE}.pem").stat().st_mode & 0o777 == 0o600
