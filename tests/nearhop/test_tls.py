"""TLS between the parts: files and their checks, and real handshakes over loopback."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from controlplane.identity import ca
from nearhop import tls
from nearhop.spiffe import Part, Role

DOMAIN = "fleet.example.org"
NODE = Part(Role.NODE, "tokyo-1", "tokyo")
CONTROL_PLANE = Part(Role.CONTROL_PLANE, "c1")
DAY = timedelta(days=1)
NOW = datetime.now(UTC)
AUTHORITY = ca.create(DOMAIN, NOW - 30 * DAY)
OTHER = ca.create(DOMAIN, NOW - 30 * DAY)


def made(
    part: Part = NODE,
    *,
    by: ca.Authority = AUTHORITY,
    now: datetime = NOW,
    life: timedelta = DAY,
    trusts: ca.Authority = AUTHORITY,
) -> tls.Credentials:
    """Make credentials that *by* issued at *now*."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = ca.issue(by, key.public_key(), part, epoch=1, now=now, life=life)
    return tls.Credentials(ca.key_pem(key), certificate.public_bytes(Encoding.PEM), trusts.pem)


EXPIRED = made(now=NOW - 2 * DAY)
EARLY = made(now=NOW + DAY)
STRANGER = made(by=OTHER)


def test_good_credentials_pass() -> None:
    tls.check(made(), NOW)


@pytest.mark.parametrize(
    ("credentials", "reason"),
    [
        (EXPIRED, "expired at .* join again"),
        (EARLY, "not valid before .* clock"),
        (STRANGER, "not issued by an authority"),
        (tls.Credentials(made().key, made().chain, AUTHORITY.pem), "does not belong to the certificate"),
        (tls.Credentials(b"", made().chain, AUTHORITY.pem), "private key cannot be read"),
        (tls.Credentials(made().key, b"", AUTHORITY.pem), "no readable certificate"),
        (tls.Credentials(made().key, b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", b""), "readable"),
    ],
    ids=["expired", "not yet valid", "wrong authority", "key mismatch", "no key", "no chain", "garbage"],
)
def test_bad_credentials_are_named(credentials: tls.Credentials, reason: str) -> None:
    with pytest.raises(tls.CertificateError, match=reason):
        tls.check(credentials, NOW)


def test_a_folder_reads_back_and_is_private(tmp_path: Path) -> None:
    folder, first, second = tmp_path / "identity", made(), made()
    tls.save(folder, first)
    assert tls.load(folder, NOW) == first
    tls.save(folder, second)
    assert tls.load(folder, NOW) == second
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
        "ca.pem": 0o600,
        "identity.pem": 0o600,
    }


def test_a_folder_that_is_not_there_or_broken_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        tls.load(tmp_path, NOW)
    tls.save(tmp_path, EXPIRED)
    with pytest.raises(tls.CertificateError, match=f"{tmp_path}: .*expired"):
        tls.load(tmp_path, NOW)
    (tmp_path / tls.IDENTITY_FILE).write_bytes(EXPIRED.key)
    with pytest.raises(tls.CertificateError, match="holds no certificate"):
        tls.load(tmp_path, NOW)


def test_a_key_never_stands_in_a_representation() -> None:
    assert "PRIVATE" not in repr(made())


class Served:
    """A server that answers with its caller's URI; *own* may be exchanged while it runs."""

    def __init__(self) -> None:
        self.own = made(CONTROL_PLANE)
        self.port = 0

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"


async def _whoami(_request: bytes, context: grpc.aio.ServicerContext) -> bytes:  # type: ignore[type-arg]
    return b",".join(context.auth_context().get("peer_uri", [b"nobody"]))


@asynccontextmanager
async def serving(*, clients: bool) -> AsyncIterator[Served]:
    served = Served()
    handler = grpc.method_handlers_generic_handler(
        "test.Test", {"WhoAmI": grpc.unary_unary_rpc_method_handler(_whoami)}
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((handler,))
    served.port = server.add_secure_port("127.0.0.1:0", tls.server_credentials(lambda: served.own, clients=clients))
    await server.start()
    try:
        yield served
    finally:
        await server.stop(0)


async def ask(channel: grpc.aio.Channel) -> str:
    answer: bytes = await channel.unary_unary("/test.Test/WhoAmI")(b"", timeout=5)
    return answer.decode()


async def refused(served: Served, credentials: tls.Credentials | None, authorities: bytes = AUTHORITY.pem) -> str:
    """Return the sentence for the failure that these credentials meet."""
    async with tls.channel(served.endpoint, authorities=authorities, credentials=credentials) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ask(channel)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    return tls.explain(caught.value)


async def test_a_part_is_known_by_its_certificate() -> None:
    async with (
        serving(clients=True) as served,
        tls.channel(served.endpoint, authorities=AUTHORITY.pem, credentials=made()) as channel,
    ):
        assert await ask(channel) == f"spiffe://{DOMAIN}/node/tokyo/tokyo-1"


async def test_without_a_certificate_only_the_apis_address_answers() -> None:
    async with serving(clients=False) as served, tls.channel(served.endpoint, authorities=AUTHORITY.pem) as channel:
        assert await ask(channel) == "nobody"
    async with serving(clients=True) as served:
        assert "does not take this part's certificate" in await refused(served, None)


@pytest.mark.parametrize("credentials", [EXPIRED, EARLY, STRANGER], ids=["expired", "not yet valid", "wrong authority"])
async def test_a_server_refuses_bad_certificates(credentials: tls.Credentials) -> None:
    async with serving(clients=True) as served:
        assert "does not take this part's certificate" in await refused(served, credentials)


async def test_a_client_refuses_a_server_of_another_authority() -> None:
    async with serving(clients=True) as served:
        assert "not of an authority that this part trusts" in await refused(served, made(), OTHER.pem)


async def test_a_node_cannot_pose_as_a_control_plane() -> None:
    async with serving(clients=True) as served:
        served.own = made(NODE)
        reason = await refused(served, made())
    assert "controlplane.nearhop.internal" in reason or "not of an authority" in reason or "VERIFY" in reason, reason


async def test_a_server_takes_a_new_certificate_without_a_restart() -> None:
    async with serving(clients=False) as served:
        before = await asyncio.to_thread(_served_certificate, served.port)
        served.own = made(CONTROL_PLANE)
        after = await asyncio.to_thread(_served_certificate, served.port)
        async with tls.channel(served.endpoint, authorities=AUTHORITY.pem) as channel:
            assert await ask(channel) == "nobody"
    assert before != after


async def test_an_authority_that_is_added_is_trusted_without_a_restart() -> None:
    async with serving(clients=True) as served:
        await refused(served, STRANGER)
        served.own = tls.Credentials(served.own.key, served.own.chain, AUTHORITY.pem + OTHER.pem)
        async with tls.channel(served.endpoint, authorities=AUTHORITY.pem, credentials=STRANGER) as channel:
            assert await ask(channel) == f"spiffe://{DOMAIN}/node/tokyo/tokyo-1"


async def test_a_token_goes_with_every_call() -> None:
    seen = []

    async def note(_request: bytes, context: grpc.aio.ServicerContext) -> bytes:  # type: ignore[type-arg]
        seen.append(dict(context.invocation_metadata() or ())["authorization"])
        return b""

    server = grpc.aio.server()
    handler = grpc.method_handlers_generic_handler("test.Test", {"WhoAmI": grpc.unary_unary_rpc_method_handler(note)})
    server.add_generic_rpc_handlers((handler,))
    own = made(CONTROL_PLANE)
    port = server.add_secure_port("127.0.0.1:0", tls.server_credentials(lambda: own, clients=False))
    await server.start()
    async with tls.channel(f"127.0.0.1:{port}", authorities=AUTHORITY.pem, token="nhp_x") as channel:
        await ask(channel)
    await server.stop(0)
    assert seen == ["Bearer nhp_x"]


def test_other_failures_keep_their_words() -> None:
    error = grpc.aio.AioRpcError(grpc.StatusCode.NOT_FOUND, grpc.aio.Metadata(), grpc.aio.Metadata(), "no such thing")
    assert tls.explain(error) == "no such thing"


def _served_certificate(port: int) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as raw, context.wrap_socket(raw) as secured:
        certificate = secured.getpeercert(binary_form=True)
    assert certificate
    return certificate
