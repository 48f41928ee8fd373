"""The router as a process, asked with dig and dnspython; the control plane is a gRPC server in the test, the ingresses little HTTP servers."""

import asyncio
import random
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import dns.asyncquery
import dns.edns
import dns.message
import dns.rcode
import httpx
import pytest
from grpc import aio

from nearhop.children import spawn, stop
from nearhop.v1 import common_pb2, nodes_pb2
from nearhop.v1 import router_control_pb2 as pb
from nearhop.v1 import router_control_pb2_grpc as rpc
from tests.controlplane.router.citydb import write_city_database

pytestmark = pytest.mark.acceptance

ZONE = "edge.example.org"
HELLO = f"hello.{ZONE}"
PLACES = {
    "london-1": (51.5, -0.12), "saopaulo-1": (-23.55, -46.63), "sydney-1": (-33.87, 151.21), "tokyo-1": (35.68, 139.69),
    "virginia-1": (38.95, -77.45),
}  # fmt: skip
ADDRESSES = {name: f"127.53.10.{number}" for number, name in enumerate(PLACES, start=1)}
CLIENTS = {"london-1": "198.51.100.0/24", "saopaulo-1": "192.0.2.0/25", "sydney-1": "192.0.2.128/25", "tokyo-1": "203.0.113.0/24",
           "virginia-1": "2001:db8:7::/48"}  # fmt: skip
# Nearest to each other, measured on a globe.
SECOND = {"london-1": "virginia-1", "tokyo-1": "sydney-1"}


class ControlPlane(rpc.RouterControlServicer):
    """Sends the view it was given, and every later one."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.view = routing_view(1)
        self.changed = asyncio.Event()
        self.reports: list[pb.RouterReport] = []
        self._server: aio.Server | None = None

    async def start(self) -> None:
        self._server = aio.server()
        rpc.add_RouterControlServicer_to_server(self, self._server)
        self._server.add_insecure_port(f"127.53.9.1:{self.port}")
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(None)
            self._server = None

    def offer(self, view: pb.RoutingView) -> None:
        self.view = view
        self.changed.set()

    async def Sync(self, request_iterator: object, context: object) -> AsyncIterator[pb.RoutingView]:  # type: ignore[override]  # noqa: N802
        async def listen() -> None:
            async for message in request_iterator:  # type: ignore[attr-defined]
                if message.HasField("report"):
                    self.reports.append(message.report)

        async with asyncio.TaskGroup() as group:
            group.create_task(listen())
            while True:
                self.changed.clear()
                yield self.view
                await self.changed.wait()


class Ingresses:
    """One little HTTP server for each node."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._servers: dict[str, asyncio.Server] = {}

    async def start(self, *names: str) -> None:
        for name in names:

            async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str = name) -> None:
                try:
                    await reader.readuntil(b"\r\n\r\n")
                    writer.write(f"HTTP/1.1 200 OK\r\nx-nearhop-node: {name}\r\ncontent-length: 0\r\n\r\n".encode())
                finally:  # also when the test ends between a probe's connection and its request
                    writer.close()

            self._servers[name] = await asyncio.start_server(handle, ADDRESSES[name], self.port)

    async def kill(self, *names: str) -> None:
        for name in names:
            server = self._servers.pop(name)
            server.close()
            await server.wait_closed()

    async def stop(self) -> None:
        await self.kill(*list(self._servers))


def routing_view(epoch: int, *, draining: str = "", port: int = 7480) -> pb.RoutingView:
    nodes = [
        pb.RoutedNode(
            id=name, region=name.rpartition("-")[0], location=common_pb2.Location(latitude=latitude, longitude=longitude),
            ingress=common_pb2.Ingress(ipv4=[ADDRESSES[name]], port=port), draining=name == draining,
        )
        for name, (latitude, longitude) in PLACES.items()
    ]  # fmt: skip
    function = pb.RoutedFunction(name="hello", hostnames=[HELLO], nodes=list(PLACES))
    return pb.RoutingView(epoch=epoch, zone=ZONE, nodes=nodes, functions=[function])


class Router:
    """The router's process; its state outlives it."""

    def __init__(self, directory: Path, control_plane_port: int, port: int) -> None:
        self.dns = "127.53.9.2"
        self.port = port
        self.url = f"http://127.53.9.2:{port + 1}"
        self._config = directory / "router.toml"
        self._log = directory / "router.log"
        places = {CLIENTS[name]: place for name, place in PLACES.items()}
        database = write_city_database(directory / "city.mmdb", places)
        self._config.write_text(f"""
            id = "r1"
            control_planes = ["127.53.9.1:{control_plane_port}"]
            insecure = true
            dns_listen = ["{self.dns}:{port}", "[::1]:{port}"]
            http_listen = "127.53.9.2:{port + 1}"
            zone = "{ZONE}"
            state_dir = "{directory / "state"}"
            geoip_database = "{database}"
        """)
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, status: int = 200) -> None:
        with self._log.open("ab") as log:
            self.process = await spawn(
                [sys.executable, "-m", "controlplane.router", "--config", self._config], stdout=log, stderr=log
            )
        async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(20):
            while True:
                try:
                    if (await client.get(f"{self.url}/healthz")).status_code == status:
                        return
                except httpx.TransportError:
                    assert self.process.returncode is None, self.log
                await asyncio.sleep(0.05)

    async def stop(self) -> int:
        assert self.process is not None
        return await stop(self.process, grace_s=10)

    @property
    def log(self) -> str:
        return self._log.read_text()

    async def ask(
        self, client: str | None, *, name: str = HELLO, kind: str = "A", tcp: bool = False
    ) -> dns.message.Message:
        options = []
        if client is not None:
            address, _, length = client.partition("/")
            options = [dns.edns.ECSOption(address, int(length))]
        query = dns.message.make_query(name, kind, use_edns=0, options=options)
        send = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
        return await send(query, self.dns, port=self.port, timeout=5)

    async def node_for(self, name: str, *, tcp: bool = False) -> str:
        message = await self.ask(CLIENTS[name], tcp=tcp)
        ((record,),) = message.answer
        return next(node for node, address in ADDRESSES.items() if address == record.address)

    async def verdicts(self) -> dict[str, str]:
        async with httpx.AsyncClient(trust_env=False) as client:
            nodes = (await client.get(f"{self.url}/healthz")).json()["nodes"]
        return {name: health["verdict"] for name, health in nodes.items()}

    async def explain(self, ip: str) -> dict[str, object]:
        async with httpx.AsyncClient(trust_env=False) as client:
            return dict((await client.get(f"{self.url}/v1/explain", params={"ip": ip, "function": "hello"})).json())


class Setting:
    """A router, its control plane and its nodes."""

    def __init__(self, directory: Path) -> None:
        base = random.SystemRandom().randrange(20_000, 28_000, 16)
        self.plane = ControlPlane(base)
        self.ingresses = Ingresses(base + 1)
        self.router = Router(directory, base, base + 2)
        self.plane.view = self.view(1)

    def view(self, epoch: int, *, draining: str = "") -> pb.RoutingView:
        return routing_view(epoch, draining=draining, port=self.ingresses.port)

    async def all_up(self) -> None:
        await self.eventually(lambda told: all(node["verdict"] == "up" for node in told.values()) and len(told) == 5)

    async def eventually(self, check: Callable[[dict[str, dict[str, str]]], bool], *, within: float = 15) -> float:
        started = time.monotonic()
        async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(within):
            while not check((await client.get(f"{self.router.url}/healthz")).json()["nodes"]):
                await asyncio.sleep(0.02)
        return time.monotonic() - started


@asynccontextmanager
async def setting(directory: Path, kind: type[Setting] = Setting) -> AsyncIterator[Setting]:
    made = kind(directory)
    await made.plane.start()
    await made.ingresses.start(*PLACES)
    try:
        await made.router.start()
        await made.all_up()
        yield made
    finally:
        if made.router.process is not None:
            await made.router.stop()
        await made.plane.stop()
        await made.ingresses.stop()


async def test_every_client_is_sent_to_its_nearest_node(tmp_path: Path) -> None:
    async with setting(tmp_path) as made:
        for name in PLACES:
            assert await made.router.node_for(name) == name
            assert await made.router.node_for(name, tcp=True) == name
            told = await made.router.explain(CLIENTS[name].partition("/")[0])
            assert told["answers"] == [ADDRESSES[name]]
        message = await made.router.ask(CLIENTS["tokyo-1"])
        assert [
            (option.srclen, option.scopelen) for option in message.options if isinstance(option, dns.edns.ECSOption)
        ] == [(24, 24)]
        assert (await made.router.ask(None, name=f"none.{ZONE}")).rcode() == dns.rcode.NXDOMAIN


async def test_dig_understands_the_answers(tmp_path: Path) -> None:
    dig = shutil.which("dig")
    if dig is None:
        pytest.skip("dig is not installed")

    async def run(*words: str) -> str:
        process = await asyncio.create_subprocess_exec(dig, *words, stdout=asyncio.subprocess.PIPE)
        output, _ = await process.communicate()
        assert process.returncode == 0
        return output.decode()

    async with setting(tmp_path) as made:
        for server in (made.router.dns, "::1"):
            at = (f"@{server}", "-p", str(made.router.port), "+tries=1", "+time=2")
            for transport in ("+notcp", "+tcp"):
                output = await run(*at, transport, HELLO, "A", f"+subnet={CLIENTS['sydney-1']}")
                assert f"{HELLO}.\t30\tIN\tA\t{ADDRESSES['sydney-1']}" in output.replace("\t\t", "\t")
                assert "CLIENT-SUBNET: 192.0.2.128/25/25" in output
                assert "WARNING: Message" not in output
        assert f"ns1.{ZONE}." in await run(*at, "+short", ZONE, "NS")


async def test_a_node_whose_ingress_dies_is_out_within_two_seconds_and_comes_back(tmp_path: Path) -> None:
    async with setting(tmp_path) as made:
        started = time.monotonic()
        await made.ingresses.kill("tokyo-1", "london-1")
        async with asyncio.timeout(10):
            while [await made.router.node_for("tokyo-1"), await made.router.node_for("london-1")] != [
                SECOND["tokyo-1"],
                SECOND["london-1"],
            ]:
                await asyncio.sleep(0.02)
        assert time.monotonic() - started <= 2
        assert (await made.router.ask(CLIENTS["tokyo-1"])).answer[0].ttl == 5
        async with asyncio.timeout(5):
            while not any(
                witness.node == "tokyo-1" and witness.verdict == nodes_pb2.Witness.VERDICT_DOWN
                for report in made.plane.reports for witness in report.verdicts
            ):  # fmt: skip
                await asyncio.sleep(0.02)
        await made.ingresses.start("tokyo-1", "london-1")
        await made.all_up()
        assert await made.router.node_for("tokyo-1") == "tokyo-1"


async def test_all_nodes_down_answers_the_nearest_as_if_up(tmp_path: Path) -> None:
    async with setting(tmp_path) as made:
        await made.ingresses.kill(*PLACES)
        async with asyncio.timeout(5):
            while set((await made.router.verdicts()).values()) != {"down"}:
                await asyncio.sleep(0.05)
        for place in PLACES:
            assert await made.router.node_for(place) == place
        # Refused connections show that the way to the machines is whole.
        assert "suspects itself" not in made.router.log


async def test_a_drain_is_out_of_answers_at_once(tmp_path: Path) -> None:
    async with setting(tmp_path) as made:
        made.plane.offer(made.view(2, draining="tokyo-1"))
        started = time.monotonic()
        async with asyncio.timeout(5):
            while await made.router.node_for("tokyo-1") != SECOND["tokyo-1"]:
                await asyncio.sleep(0.01)
        assert time.monotonic() - started <= 1


async def test_f5_f26_without_a_control_plane_it_answers_restarts_and_keeps_probing(tmp_path: Path) -> None:
    async with setting(tmp_path) as made:
        await made.plane.stop()
        assert await made.router.node_for("tokyo-1") == "tokyo-1"
        assert await made.router.stop() == 0
        await made.router.start()
        assert await made.router.node_for("tokyo-1") == "tokyo-1"
        await made.all_up()
        await made.ingresses.kill("tokyo-1")
        async with asyncio.timeout(5):
            while await made.router.node_for("tokyo-1") != SECOND["tokyo-1"]:
                await asyncio.sleep(0.02)
        made.plane.view = made.view(3, draining="london-1")
        await made.plane.start()
        async with asyncio.timeout(5):
            while await made.router.node_for("london-1") != SECOND["london-1"]:
                await asyncio.sleep(0.02)


async def test_before_the_first_view_it_listens_and_answers_servfail(tmp_path: Path) -> None:
    made = Setting(tmp_path)
    await made.router.start(status=503)
    try:
        assert (await made.router.ask(None)).rcode() == dns.rcode.SERVFAIL
        assert (await made.router.ask(None, name="www.example.net")).rcode() == dns.rcode.REFUSED
    finally:
        assert await made.router.stop() == 0


async def test_it_starts_from_nothing_when_the_spool_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "routing-view").write_bytes(b"nearhop routing view 1\n" + b"x" * 100)
    made = Setting(tmp_path)
    await made.router.start(status=503)
    assert await made.router.stop() == 0
    assert (tmp_path / "state" / "routing-view.corrupt").exists()


async def test_a_port_in_use_ends_it_with_status_3_and_the_address(tmp_path: Path) -> None:
    made = Setting(tmp_path)
    await made.router.start(status=503)
    second = await spawn(
        [sys.executable, "-m", "controlplane.router", "--config", tmp_path / "router.toml"],
        stderr=asyncio.subprocess.PIPE,
    )
    _, error = await second.communicate()
    assert second.returncode == 3
    assert (
        error.decode()
        == f"router: cannot start: cannot listen on UDP 127.53.9.2:{made.router.port}: Address already in use\n"
    )
    await made.router.stop()


@pytest.mark.parametrize(("content", "message"), [("id = 5", "id: "), ("id = ", "is not TOML"), (None, "No such file")])
async def test_a_bad_configuration_ends_it_with_status_3(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "bad.toml").write_text(content)
    process = await spawn(
        [sys.executable, "-m", "controlplane.router", "--config", tmp_path / "bad.toml"], stderr=asyncio.subprocess.PIPE
    )
    _, error = await process.communicate()
    assert process.returncode == 3
    assert message in error.decode()
    assert error.decode().count("\n") == 1


async def test_sigint_stops_it_as_cleanly(tmp_path: Path) -> None:
    made = Setting(tmp_path)
    await made.router.start(status=503)
    assert made.router.process is not None
    made.router.process.send_signal(signal.SIGINT)
    assert await made.router.process.wait() == 0
    assert "Traceback" not in made.router.log
