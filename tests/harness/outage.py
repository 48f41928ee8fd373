"""A router before a fleet of real ingresses that can be hurt, and a clock for how long wrong answers go out.

The ingresses are HAProxy processes with nothing behind them; the router is a real one that starts from its disk and has no control plane. Each
node has a client network of its own that the operator's file places there, so a right answer is never a matter of geography.
"""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP
from types import TracebackType
from typing import Self

import dns.edns
import dns.message
import dns.rdatatype
import httpx

from controlplane.router.spool import Spool
from nearhop import children, engines
from nearhop.v1 import common_pb2
from nearhop.v1 import router_control_pb2 as pb
from tests.harness.eventually import eventually
from tests.harness.process import Process

ZONE = "outage.test"
NAME = f"hello.{ZONE}"
PORT = 7480
SLOW_S = 3.0
_POLL_S = 0.004

_HAPROXY = """
defaults
  mode http
  timeout client 5s
  timeout connect 1s
  timeout server 5s
frontend ingress
  bind {address}:{port}
  http-request return status 200 hdr x-nearhop-node {node} content-type text/plain string ok
"""


class Ingress:
    """One node's ingress."""

    def __init__(self, node: str, address: str, folder: Path) -> None:
        self.node = node
        self.address = address
        self._process: asyncio.subprocess.Process | None = None
        self._config = folder / f"{node}.cfg"

    async def start(self) -> None:
        """Start it, anew after a kill."""
        if self._process is not None and self._process.returncode is None:
            return
        await asyncio.to_thread(
            self._config.write_text, _HAPROXY.format(address=self.address, port=PORT, node=self.node)
        )
        self._process = await children.spawn([engines.find("haproxy").path, "-db", "-f", self._config])

    async def kill(self) -> None:
        """End it with SIGKILL, if it runs."""
        assert self._process is not None
        if self._process.returncode is None:
            self._signal(SIGKILL)
        await self._process.wait()

    def pause(self) -> None:
        """Freeze it: connections are still taken by the kernel, nobody answers."""
        self._signal(SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)


class Slow:
    """Something at a node's address that answers rightly, but only after SLOW_S: a node that is up and of no use."""

    def __init__(self, ingress: Ingress) -> None:
        self._ingress = ingress
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._relay, self._ingress.address, PORT, reuse_address=True)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(SLOW_S)
            writer.write(
                f"HTTP/1.1 200 OK\r\nx-nearhop-node: {self._ingress.node}\r\ncontent-length: 0\r\n\r\n".encode()
            )
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # the router has given up, as it should
        finally:
            writer.close()


class OutageRouter(Process):
    """A router without TLS; by default its control plane is an address where nobody is, ever."""

    def __init__(
        self, address: str, folder: Path, *, name: str = "r1", control_plane: str = "", zone: str = ZONE
    ) -> None:
        self.dns = (address, 7453)
        self.http = f"http://{address}:7454"
        config = {
            "id": name,
            "control_planes": [control_plane or f"{address}:9"],
            "insecure": True,
            "dns_listen": [f"{address}:7453"],
            "http_listen": f"{address}:7454",
            "zone": zone,
            "state_dir": str(folder / "router"),
            "places_file": str(folder / "places.toml"),
        }
        super().__init__("router", "controlplane.router", config, folder)

    async def ready(self) -> bool:
        async with httpx.AsyncClient() as client:
            try:
                return (await client.get(f"{self.http}/healthz", timeout=2)).status_code == 200
            except httpx.TransportError:
                return False


@dataclass(frozen=True)
class Failover:
    """One try: *seconds* from the fault to the last answer that named the node, and whom its clients got then."""

    fault: str
    node: str
    seconds: float
    successor: str


class Outage:
    """*nodes* nodes on 127.*second*.0.0/16. Entering starts everything and waits until the router has seen every node."""

    def __init__(self, folder: Path, nodes: int, second: int) -> None:
        self._second = second
        self._folder = folder
        self.router = OutageRouter(f"127.{second}.0.2", folder)
        self.nodes = [Ingress(f"n{number:02}", f"127.{second}.{number}.7", folder) for number in range(1, nodes + 1)]
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            for ingress in self.nodes:
                await ingress.start()
                self._stack.push_async_callback(ingress.kill)
            await asyncio.to_thread(self._write_state)
            await self._stack.enter_async_context(self.router)
            await eventually(self._all_up, within=20)
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            sys.stderr.write(self.router.tail() + "\n")
        await self._stack.aclose()

    def _write_state(self) -> None:
        places = ["[prefixes]", *(f'"{self.subnet(node)}/24" = {{ node = "{node.node}" }}' for node in self.nodes)]
        (self._folder / "places.toml").write_text("\n".join(places) + "\n")
        view = pb.RoutingView(
            epoch=1,
            zone=ZONE,
            nodes=[
                pb.RoutedNode(
                    id=node.node,
                    region="r",
                    location=common_pb2.Location(latitude=0, longitude=number),
                    ingress=common_pb2.Ingress(ipv4=[node.address], port=PORT),
                )
                for number, node in enumerate(self.nodes)
            ],
            functions=[
                pb.RoutedFunction(name="hello", hostnames=[NAME], nodes=[node.node for node in self.nodes]),
            ],
        )
        Spool(self._folder / "router").write(view)

    async def _all_up(self) -> bool:
        async with httpx.AsyncClient() as client:
            status = (await client.get(f"{self.router.http}/healthz", timeout=2)).json()
        return all(found["verdict"] == "up" for found in status["nodes"].values())

    def subnet(self, node: Ingress) -> str:
        """Return the network of *node*'s clients."""
        return f"198.18.{node.address.split('.')[2]}.0"

    async def fail(self, fault: str, victim: Ingress, *, watch_s: float = 4.0) -> Failover:
        """Inflict *fault* on *victim*, clock the answers, heal it, and wait until its clients are back."""
        await self.until_answered_by(victim)
        async with FAULTS[fault](victim) as begin:
            last, successor = await asyncio.to_thread(self._clock, victim, begin, watch_s)
        return Failover(fault, victim.node, last, successor)

    async def until_answered_by(self, node: Ingress, within: float = 60.0) -> None:
        """Wait until *node*'s clients are sent there."""

        async def home() -> bool:
            return await asyncio.to_thread(self.answer_for, node) == node.address

        await eventually(home, within=within, reason=f"{node.node} is not taken back")

    def answer_for(self, node: Ingress) -> str:
        """Ask as a client of *node*; the first address."""
        with self._socket() as client:
            return self._ask(client, self._query(node))

    def _clock(self, victim: Ingress, begin: float, watch_s: float) -> tuple[float, str]:
        query, last, answer = self._query(victim), 0.0, ""
        with self._socket() as client:
            while (now := time.monotonic()) - begin < watch_s:
                answer = self._ask(client, query)
                if answer == victim.address:
                    last = time.monotonic() - begin
                elif now - begin - last > 1.5:
                    break  # once out it stays out
                time.sleep(_POLL_S)
        return last, answer

    def _socket(self) -> socket.socket:
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.settimeout(5)
        client.connect(self.router.dns)
        return client

    def _query(self, node: Ingress) -> bytes:
        options = [dns.edns.ECSOption(self.subnet(node), 24)]
        return dns.message.make_query(NAME, "A", use_edns=0, options=options).to_wire()

    @staticmethod
    def _ask(client: socket.socket, query: bytes) -> str:
        client.send(query)
        reply = dns.message.from_wire(client.recv(4096))
        found = [item.address for rrset in reply.answer if rrset.rdtype == dns.rdatatype.A for item in rrset]
        assert found, f"no answer: {reply}"
        return str(found[0])


@asynccontextmanager
async def _killed(victim: Ingress) -> AsyncIterator[float]:
    begin = time.monotonic()
    await victim.kill()
    try:
        yield begin
    finally:
        await victim.start()


@asynccontextmanager
async def _stopped(victim: Ingress) -> AsyncIterator[float]:
    begin = time.monotonic()
    victim.pause()
    try:
        yield begin
    finally:
        victim.resume()


@asynccontextmanager
async def _slow(victim: Ingress) -> AsyncIterator[float]:
    slow = Slow(victim)
    begin = time.monotonic()
    await victim.kill()
    await slow.start()
    try:
        yield begin
    finally:
        await slow.stop()
        await victim.start()


@asynccontextmanager
async def _blackholed(victim: Ingress) -> AsyncIterator[float]:
    """Drop what goes to the node's address, in a table of the test's own (needs the right to change nftables)."""
    table = f"nearhop_outage_{victim.address.replace('.', '_')}"
    chain = f"chain inbound {{\ntype filter hook input priority -300\nip daddr {victim.address} drop\n}}"
    rules = f"table inet {table} {{\n{chain}\n}}\n"
    begin = time.monotonic()
    await _nft("-f", "-", stdin=rules)
    try:
        yield begin
    finally:
        await _nft("delete", "table", "inet", table)


async def _nft(*arguments: str, stdin: str = "") -> None:
    await asyncio.to_thread(
        subprocess.run, ["nft", *arguments], input=stdin, text=True, check=True, capture_output=True, timeout=10
    )


def can_blackhole() -> bool:
    """Tell whether this process may change nftables."""
    probe = "table inet nearhop_outage_probe { }"
    try:
        for arguments, text in ((["-f", "-"], probe), (["delete", "table", "inet", "nearhop_outage_probe"], "")):
            subprocess.run(["nft", *arguments], input=text, text=True, check=True, capture_output=True, timeout=10)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


FAULTS: dict[str, Callable[[Ingress], AbstractAsyncContextManager[float]]] = {
    "kill -9": _killed,
    "SIGSTOP": _stopped,
    "blackhole": _blackholed,
    "slow": _slow,
}
