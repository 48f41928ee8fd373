"""The fleet of deploy/compose as its users have it: the compose file's own commands, the published loopback ports, and docker to break things.

Inside, the container of a node has the address 10.78.NETWORK.HOST, which the routers answer with; the same port of it is published at
127.78.NETWORK.HOST, which is where a client on this machine goes.
"""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.asyncquery
import dns.edns
import dns.message
import dns.rdatatype
import grpc
import httpx

from nearhop import tls
from nearhop.v1 import nodes_pb2, nodes_pb2_grpc
from tests.harness.cluster import INGRESS_PORT, ZONE, Ran
from tests.harness.eventually import eventually

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "deploy" / "compose"
CONTROL_PLANES = {"controlplane-1": "127.78.0.1:7400", "controlplane-2": "127.78.0.2:7400"}
ROUTERS = {"router-1": "127.78.0.1", "router-2": "127.78.0.2"}
ETCD = ("etcd-1", "etcd-2", "etcd-3")
NODES = {
    "tokyo-1": "127.78.1.11",
    "tokyo-2": "127.78.1.12",
    "london-1": "127.78.2.11",
    "virginia-1": "127.78.3.11",
    "sydney-1": "127.78.4.11",
    "saopaulo-1": "127.78.5.11",
}
PARTS = (*ETCD, *CONTROL_PLANES, *ROUTERS, "dashboard", *NODES)
DASHBOARD = "http://127.78.0.1:7470"
FUNCTION = "hello"
NEARHOP = Path(sys.executable).with_name("nearhop")


def published(address: str) -> str:
    """Return where this machine reaches the container at *address*."""
    return f"127.{address.removeprefix('10.')}"


@dataclass(frozen=True, slots=True)
class Served:
    """One answered request."""

    address: str
    node: str
    region: str
    version: int
    text: str


async def run(*argv: str | Path, within: float = 120.0, cwd: Path = ROOT, **env: str) -> Ran:
    """Run a command to its end, whatever its exit status."""
    process = await asyncio.create_subprocess_exec(
        *argv, cwd=cwd, env={**os.environ, **env},
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(within):
            out, err = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    return Ran(process.returncode or 0, out.decode(), err.decode())


async def must(*argv: str | Path, within: float = 120.0, cwd: Path = ROOT) -> str:
    """Run a command that has to succeed, and return what it printed."""
    ran = await run(*argv, within=within, cwd=cwd)
    assert ran.status == 0, f"{' '.join(map(str, argv))}: exit status {ran.status}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


async def docker(*arguments: str, within: float = 60.0) -> str:
    """Run docker and return what it printed."""
    return await must("docker", *arguments, within=within)


async def inside(part: str, *argv: str, within: float = 60.0) -> Ran:
    """Run a command in the container of *part*, as its own user."""
    return await run("docker", "exec", container(part), *argv, within=within)


def container(part: str) -> str:
    return f"nearhop-{part}"


async def health(parts: Sequence[str] = PARTS) -> dict[str, str]:
    """Return what Docker says of each part: healthy, unhealthy, starting, or why it does not run."""
    form = "{{.Name}} {{if .State.Running}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}"
    lines = (await docker("inspect", "--format", form, *map(container, parts))).split("\n")
    pairs = [line.removeprefix("/nearhop-").split() for line in lines if line]
    return dict(pairs)


async def all_healthy(parts: Sequence[str] = PARTS, *, within: float = 90.0) -> None:
    """Wait until Docker finds every part healthy, and the API every node connected and seen up."""

    async def check() -> bool:
        states = await health(parts)
        assert set(states.values()) == {"healthy"}, states
        await asyncio.sleep(0.2)
        return True

    await eventually(check, within=within)
    await nodes_are(dict.fromkeys(NODES, nodes_pb2.Node.HEALTH_HEALTHY), within=within)


async def nodes_are(wanted: dict[str, "nodes_pb2.Node.Health"], *, within: float, endpoint: str = "") -> float:
    """Wait until the API tells the *wanted* health of each node; return the seconds that it took."""
    begin = time.monotonic()

    async def check() -> bool:
        found = {node.id: node.health for node in await list_nodes(endpoint or CONTROL_PLANES["controlplane-1"])}
        assert {name: found.get(name) for name in wanted} == wanted, found
        return True

    await eventually(check, within=within)
    return time.monotonic() - begin


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a caller shows and trusts: the file with the authority's certificate, and an API token."""

    ca: Path
    token: str

    @property
    def env(self) -> dict[str, str]:
        return {"NEARHOP_CA": str(self.ca), "NEARHOP_TOKEN": self.token}


_credentials: dict[str, Credentials] = {}


async def log_in(folder: Path) -> None:
    """Take the first administrator's credentials as a user does, and make a token that may only deploy this function."""
    line = (await must(COMPOSE / "credentials", folder)).strip()
    exported = dict(pair.split("=", 1) for pair in line.removeprefix("export ").split())
    _credentials["admin"] = Credentials(Path(exported["NEARHOP_CA"].strip("'")), exported["NEARHOP_TOKEN"])
    made = await nearhop("token", "create", "ci", "--role", "deployer", "--function", FUNCTION)
    assert made.status == 0, made.stderr
    _credentials["deployer"] = Credentials(_credentials["admin"].ca, made.stdout.strip())


def token(who: str = "admin") -> str:
    return _credentials[who].token


def channel(endpoint: str, who: str = "admin") -> grpc.aio.Channel:
    """Open a channel to a control plane's API; the caller closes it."""
    credentials = _credentials[who]
    return tls.channel(endpoint, authorities=credentials.ca.read_bytes(), token=credentials.token)


async def list_nodes(endpoint: str) -> list[nodes_pb2.Node]:
    """Return the nodes as one control plane tells them; AssertionError while it is unreachable."""
    async with channel(endpoint) as opened:
        try:
            reply = await nodes_pb2_grpc.NodesStub(opened).ListNodes(nodes_pb2.ListNodesRequest(), timeout=5)
        except grpc.aio.AioRpcError as error:
            raise AssertionError(f"{error.code()}: {error.details()}") from error
    return list(reply.nodes)


async def nearhop(
    *arguments: str | Path, endpoint: str = CONTROL_PLANES["controlplane-1"], who: str = "admin", within: float = 60.0
) -> Ran:
    """Run the command line against one control plane's published port."""
    env = {**_credentials[who].env, "NEARHOP_ENDPOINT": endpoint, "NO_COLOR": "1", "COLUMNS": "200"}
    return await run(NEARHOP, *arguments, within=within, **env)


async def deploy(
    folder: Path, word: str, *, endpoint: str = CONTROL_PLANES["controlplane-1"], file: str = FUNCTION
) -> Ran:
    """Deploy a version of the function that answers with *word* and its region, whatever comes of it."""
    source = folder / f"{file}.js"
    await asyncio.to_thread(source.write_text, _SOURCE.replace("WORD", word))
    return await nearhop(
        "deploy", source, "--name", FUNCTION, "--message", word, "--json", endpoint=endpoint, who="deployer"
    )


_SOURCE = """
export default {
  fetch(request) {
    return new Response(`WORD from ${request.headers.get("x-nearhop-region")}`);
  },
};
"""


async def resolve(client: str, *, router: str = "router-1") -> list[str]:
    """Ask a router as the resolver of *client* would; return the published addresses, in the answer's order."""
    message = dns.message.make_query(f"{FUNCTION}.{ZONE}", "A", use_edns=0, options=[dns.edns.ECSOption(client, 24)])
    reply = await dns.asyncquery.udp(message, ROUTERS[router], port=7453, timeout=3)
    return [published(item.address) for rrset in reply.answer if rrset.rdtype == dns.rdatatype.A for item in rrset]


async def get(http: httpx.AsyncClient, address: str, *, port: int = INGRESS_PORT) -> Served:
    """Ask one node's ingress at its published port. Raises httpx.HTTPError when it does not answer with 200."""
    reply = await http.get(f"http://{address}:{port}/", headers={"host": f"{FUNCTION}.{ZONE}"}, timeout=10)
    reply.raise_for_status()
    headers = reply.headers
    return Served(
        address, headers["x-nearhop-node"], headers["x-nearhop-region"], int(headers["x-nearhop-version"]), reply.text
    )


async def fetch(client: str, *, router: str = "router-1") -> Served:
    """Do what *client* does: resolve, then ask the first address."""
    (address, *_) = await resolve(client, router=router)
    async with httpx.AsyncClient() as http:
        return await get(http, address)


async def out_of_answers(client: str, address: str, *, within: float) -> float:
    """Wait until no router sends *client* to *address* any more; return the seconds that it took."""
    begin = time.monotonic()

    async def check() -> bool:
        for router in ROUTERS:
            answer = await resolve(client, router=router)
            assert answer, f"{router} answers with nothing"
            assert address not in answer, f"{router} still answers {address}"
        return True

    await eventually(check, within=within)
    return time.monotonic() - begin


async def in_answers(client: str, address: str, *, within: float) -> float:
    """Wait until every router sends *client* to *address* first; return the seconds that it took."""
    begin = time.monotonic()

    async def check() -> bool:
        for router in ROUTERS:
            answer = await resolve(client, router=router)
            assert answer[:1] == [address], f"{router} answers {answer}"
        return True

    await eventually(check, within=within)
    return time.monotonic() - begin


async def etcd_leader() -> str:
    """Return the name of the etcd member that leads."""
    for member in ETCD:
        ran = await inside(member, "etcdctl", "endpoint", "status", "--write-out=json")
        if ran.status == 0:
            (status,) = ran.json
            if status["Status"]["leader"] == status["Status"]["header"]["member_id"]:
                return member
    raise AssertionError("no etcd member leads")


async def router_status(router: str) -> Any:
    """Return what a router says of itself."""
    async with httpx.AsyncClient() as http:
        return (await http.get(f"http://{ROUTERS[router]}:7454/healthz", timeout=5)).json()


async def compose_commands() -> list[list[str]]:
    """Return the compose commands that this machine has: v2, 1.29, or both."""
    candidates = [["docker", "compose"], ["docker-compose"]]
    return [
        command for command in candidates if shutil.which(command[0]) and (await run(*command, "version")).status == 0
    ]


FIGURES: list[str] = []


def figure(text: str) -> None:
    """Note a measured bound; the run's summary prints it."""
    FIGURES.append(text)
