"""The proxy on a real unix socket, before a real server on loopback."""

import asyncio
import contextlib
import datetime
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from node.egress.addresses import Address, Rules
from node.egress.proxy import Limits, Proxy, system_resolver

HOME = "127.91.4.1"


@dataclass
class World:
    """A proxy, an echoing server, and a table of names."""

    path: Path
    port: int
    names: dict[str, list[str]]
    proxy: Proxy
    heads: list[bytes] = field(default_factory=list)
    resolved: list[str] = field(default_factory=list)

    async def send(self, data: bytes, *, until: bytes = b"") -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(self.path))
        try:
            async with asyncio.timeout(5):
                writer.write(data)
                if until:
                    return await reader.readuntil(until)
                return await reader.read()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):  # a refusal may leave what was sent unread
                await writer.wait_closed()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    names: dict[str, list[str]] = {"home.example.org": [HOME]}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            it.heads.append(head)
            body = b"echo " + await reader.readexactly(3)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body) + body)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def resolve(host: str, port: int) -> tuple[Address, ...]:
        it.resolved.append(host)
        if host not in names:
            raise OSError("no such name")
        return tuple(ip_address(text) for text in names[host])

    server = await asyncio.start_server(answer, HOME, 0)
    limits = Limits(per_sandbox=3, head_s=0.3, head_bytes=4096, resolve_s=0.3, connect_s=0.5)
    proxy = Proxy(Rules(allow=(ip_network(f"{HOME}/32"),)), limits, resolve)
    it = World(tmp_path / "e.sock", server.sockets[0].getsockname()[1], names, proxy)
    async with server:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
            listening.bind(str(it.path))
            listening.listen(10)
            async with asyncio.TaskGroup() as group:
                task = group.create_task(proxy.serve(listening))
                yield it
                task.cancel()


def get(url: str, *fields: str) -> bytes:
    return "\r\n".join([f"GET {url} HTTP/1.1", *fields, "", ""]).encode()


async def test_a_plain_request_goes_out_and_comes_back(world: World) -> None:
    answer = await world.send(get(f"http://home.example.org:{world.port}/x", "content-length: 3") + b"abc")
    assert answer.endswith(b"echo abc")
    [head] = world.heads
    assert head.startswith(b"GET /x HTTP/1.1\r\nhost: home.example.org:")
    assert world.resolved == ["home.example.org"]


async def test_a_tunnel(world: World) -> None:
    tunnel = f"CONNECT home.example.org:{world.port} HTTP/1.1\r\n\r\n".encode()
    inner = b"GET / HTTP/1.1\r\n\r\nxyz"
    answer = await world.send(tunnel + inner)
    assert answer.startswith(b"HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200 OK")
    assert answer.endswith(b"echo xyz")


@pytest.mark.parametrize(
    ("addresses", "reason", "status"),
    [
        (["169.254.169.254"], "egress_address", 403),
        ([HOME, "10.0.0.1"], "egress_address", 403),
        (["8.8.8.8", "::1"], "egress_address", 403),
        (["fd00:ec2::254"], "egress_address", 403),
        ([], "egress_unresolved", 502),
    ],
)
async def test_every_address_of_a_name_must_pass(world: World, addresses: list[str], reason: str, status: int) -> None:
    world.names["rebound.example.org"] = addresses
    for head in (get("http://rebound.example.org/"), b"CONNECT rebound.example.org:443 HTTP/1.1\r\n\r\n"):
        answer = await world.send(head)
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert f"x-nearhop-reason: {reason}".encode() in answer
    assert world.heads == []


async def test_a_name_is_resolved_once_and_the_checked_address_used(world: World) -> None:
    answers = [[HOME], ["127.0.0.1"]]

    async def fickle(host: str, port: int) -> tuple[Address, ...]:
        world.resolved.append(host)
        return tuple(ip_address(text) for text in answers[len(world.resolved) - 1])

    world.proxy.resolve = fickle
    answer = await world.send(get(f"http://x.example.org:{world.port}/", "content-length: 3") + b"abc")
    assert answer.endswith(b"echo abc")
    assert len(world.resolved) == 1


async def test_fails_closed(world: World) -> None:
    assert b"egress_unresolved" in await world.send(get("http://unknown.example.org/"))

    async def silent(host: str, port: int) -> tuple[Address, ...]:
        await asyncio.sleep(60)
        return ()

    world.proxy.resolve = silent
    assert b"egress_unresolved" in await world.send(get("http://home.example.org/"))


@pytest.mark.parametrize("spelling", ["0177.0.0.1", "127.1", "2130706433", "0x7f.1", "0", "localhost", "localhost."])
async def test_odd_spellings_are_the_resolvers_to_read(world: World, spelling: str) -> None:
    world.proxy.resolve = system_resolver
    answer = await world.send(get(f"http://{spelling}:{world.port}/"))
    assert answer.startswith((b"HTTP/1.1 403 ", b"HTTP/1.1 502 "))  # some resolvers know no "localhost."
    assert b"x-nearhop-reason: egress_" in answer
    assert world.heads == []


async def test_ports_are_refused_before_anything_is_resolved(world: World) -> None:
    assert b"egress_port" in await world.send(b"CONNECT home.example.org:2379 HTTP/1.1\r\n\r\n")
    assert world.resolved == []


async def test_speaks_tls_for_its_client_and_trusts_nobody_unknown(world: World, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "home.example.org")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("home.example.org")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "home.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(certificate.public_bytes(Encoding.PEM) + private)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, HOME, 0, ssl=context)
    async with server:
        url = f"https://home.example.org:{server.sockets[0].getsockname()[1]}/"
        assert b"egress_tls" in await world.send(get(url))
        world.proxy.trust.load_verify_locations(pem)
        assert (await world.send(get(url))).endswith(b"secret")
        world.names["other.example.org"] = [HOME]
        assert b"egress_tls" in await world.send(get(url.replace("home.", "other.")))


async def test_nobody_listens(world: World) -> None:
    with socket.socket() as probe:
        probe.bind((HOME, 0))
        port = probe.getsockname()[1]
    assert b"egress_unreachable" in await world.send(get(f"http://home.example.org:{port}/"))


async def test_heads_are_bounded_in_size_and_time(world: World) -> None:
    assert b"egress_request" in await world.send(b"GET / HTTP/1.1\r\n\r\n")
    long = await world.send(b"GET http://home.example.org/ HTTP/1.1\r\n" + b"x: y\r\n" * 2000)
    assert b"the request's head is too large" in long
    assert await world.send(b"GET http://home") == b""


async def test_connections_of_one_sandbox_are_bounded(world: World) -> None:
    tunnel = f"CONNECT home.example.org:{world.port} HTTP/1.1\r\n\r\n".encode()
    held = [await asyncio.open_unix_connection(str(world.path)) for _ in range(3)]
    for reader, writer in held:
        writer.write(tunnel)
        await reader.readuntil(b"\r\n\r\n")
    assert b"egress_busy" in await world.send(tunnel)
    for _, writer in held:
        writer.close()
        await writer.wait_closed()
    async with asyncio.timeout(5):
        while world.proxy.open:
            await asyncio.sleep(0.01)
    assert b"200 Connection" in await world.send(tunnel, until=b"\r\n\r\n")
