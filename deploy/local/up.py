"""`nearhop up`: starts every part, deploys the sample function, takes the tour, and keeps the cluster until it is told to stop."""

import asyncio
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass

from controlplane.client import rpc, show
from controlplane.client.failure import Failure
from controlplane.geoip import CityDatabase
from controlplane.model import Location
from deploy.local import detach as detaching
from deploy.local import geo, identities, parts, ports, ready, sample, state, tour
from deploy.local.geo import Client
from deploy.local.settings import ZONE, NodeSettings, Settings
from deploy.local.supervisor import Supervised, Supervisor
from nearhop import tasks, tls
from nearhop.errors import NearhopError
from nearhop.v1 import nodes_pb2

# Generous: a machine with few cores starts everything at once.
_READY_S = 90.0
# Nodes compute their country map in the background after their first start on a machine; it is worth a wait, but not a long one.
_TOUR_S = 20.0
# The parts of a killed `up` end with it, but not in the same instant.
_PORTS_S = 3.0


def main(settings: Settings, *, detach: bool) -> int:
    """Run the cluster; return the exit status. Raises Failure when it cannot be started."""
    release = None
    if detach:
        settings.state_dir.parent.mkdir(parents=True, exist_ok=True)
        forked = detaching.fork(settings.state_dir / "logs" / "up.log")
        if isinstance(forked, int):
            return forked
        release = forked
    lock = state.acquire(settings.state_dir)
    if lock is None:
        _say_running(settings)
        return 0
    try:
        return asyncio.run(_Cluster(settings, release).run())
    finally:
        state.forget(settings.state_dir)
        lock.release()


def _say_running(settings: Settings) -> None:
    described = state.read(settings.state_dir)
    show.say(f"A cluster runs already in {settings.state_dir} (process {state.holder(settings.state_dir)}).")
    if described is not None:
        show.say(f"  control plane  {described.control_plane}")
        show.say(f"  router         dns {described.router_dns}, http {described.router_http}")
        show.say(f"  dashboard      {described.dashboard}")
        show.say("`nearhop status` shows it, `nearhop down` stops it.")


@dataclass(frozen=True, slots=True)
class _Ready:
    """A cluster that is up: *good* when the tour went as it should."""

    good: bool


class _Cluster:
    """One run of the cluster, from the first child to the last one's end."""

    def __init__(self, settings: Settings, release: detaching.Release | None) -> None:
        self._settings = settings
        self._release = release
        self._log_dir = settings.state_dir / "logs"
        self._stop_order: list[list[Supervised]] = []
        self._login = ""

    async def run(self) -> int:
        """Bring the cluster up, keep it until the stop, end it; return the exit status."""
        stop = tasks.stop_event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._hang_up, stop)
        self._log_dir.mkdir(parents=True, exist_ok=True)
        state.forget(self._settings.state_dir)
        await self._want_ports()
        async with asyncio.TaskGroup() as group:
            supervisor = Supervisor(group, self._log_dir, lambda text: show.note(text, style="yellow"))
            starting = tasks.spawn(group, self._attempt(supervisor), name="bring the cluster up")
            stopping = tasks.spawn(group, stop.wait(), name="wait for the stop")
            try:
                await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
                if starting.done() and isinstance(starting.result(), _Ready):
                    self._let_go(starting.result())
                    await stopping
            finally:
                starting.cancel()
                stopping.cancel()
                await self._stop(supervisor)
        return 0 if starting.cancelled() else self._status(starting.result())

    def _hang_up(self, stop: asyncio.Event) -> None:
        detaching.to_log(self._log_dir / "up.log")
        stop.set()

    async def _attempt(self, supervisor: Supervisor) -> "_Ready | NearhopError":
        # An error must not end the group, which still has to end the parts in their order.
        try:
            return await self._bring_up(supervisor)
        except NearhopError as error:
            return error
        except ExceptionGroup as group:
            expected, unexpected = group.split(NearhopError)
            if expected is None or unexpected is not None:
                raise
            return _first(expected)

    def _let_go(self, outcome: _Ready) -> None:
        if self._release is not None:
            self._release(0 if outcome.good else 1)

    def _status(self, outcome: "_Ready | NearhopError") -> int:
        match outcome:
            case _Ready(good):
                return 0 if good else 1
            case ready.NotReady():
                # Parts often fail together; one log tells enough, and all of them are in the folder.
                why = f"The end of its log in {self._log_dir}"
                raise Failure(str(outcome), why, reasons=outcome.log) from outcome
            case _:
                raise outcome

    async def _want_ports(self) -> None:
        deadline = time.monotonic() + _PORTS_S
        while reasons := ports.refusals(ports.wanted(self._settings)):
            if time.monotonic() > deadline:
                raise Failure(
                    "the cluster's addresses are in use",
                    do="End those processes, or choose others with --base-port and --node-network",
                    reasons=tuple(reasons),
                )
            await asyncio.sleep(0.1)

    async def _bring_up(self, supervisor: Supervisor) -> _Ready:
        settings = self._settings
        database = geo.find(settings.geoip)
        path = database.path if database else None
        show.say(f"Starting a cluster in {settings.state_dir}")
        identities.prepare(settings)
        etcd = self._start(supervisor, [parts.etcd(settings)])
        await self._wait(etcd[0], ready.etcd(settings.etcd, identities.etcd_client(settings)))
        plane = self._start(supervisor, [parts.control_plane(settings, path)])
        await self._wait(plane[0], ready.control_plane(settings.control_plane, settings.keys / tls.AUTHORITIES_FILE))
        async with rpc.connect(identities.target(settings)) as connection:
            await identities.let_in(settings, connection)
            nodes = self._start(supervisor, [parts.node(settings, node, path) for node in settings.nodes])
            router = self._start(supervisor, [parts.router(settings, path)])
            dashboard = self._start(supervisor, [parts.dashboard(settings)])
            async with asyncio.TaskGroup() as group:
                tasks.spawn(group, self._wait(router[0], ready.healthz(settings.router_http)), name="router ready")
                check = ready.healthz(settings.dashboard)
                tasks.spawn(group, self._wait(dashboard[0], check), name="dashboard ready")
                for one, node in zip(nodes, settings.nodes, strict=True):
                    check = ready.node(node.id, settings.ingress(node), connection)
                    tasks.spawn(group, self._wait(one, check), name=f"{node.id} ready")
            hostname = await sample.deploy(connection)
            self._describe()
            self._login = await identities.dashboard_token(connection)
            good = await self._tour(connection, hostname, database)
        return _Ready(good)

    def _start(self, supervisor: Supervisor, wanted: Iterable[parts.Part]) -> list[Supervised]:
        started = [supervisor.start(part) for part in wanted]
        self._stop_order.insert(0, started)
        return started

    async def _wait(self, supervised: Supervised, check: ready.Check) -> None:
        began = time.monotonic()
        await ready.until(check, supervised, within_s=_READY_S)
        took = time.monotonic() - began
        show.say(f"  {supervised.part.name:<14} {supervised.part.listens:<40} ready in {took:.1f} s")

    async def _stop(self, supervisor: Supervisor) -> None:
        if self._stop_order:
            show.note("stopping …")
        for together in self._stop_order:
            await supervisor.stop(together)

    def _describe(self) -> None:
        settings = self._settings
        state.write(
            settings.state_dir,
            state.Description(
                pid=state.holder(settings.state_dir) or 0,
                control_plane=settings.control_plane,
                router_dns=settings.router_dns,
                router_http=settings.router_http,
                zone=ZONE,
                ca=str(settings.keys / tls.AUTHORITIES_FILE),
                token_file=str(settings.keys / identities.ADMIN_FILE),
                dashboard=f"http://{settings.dashboard}/",
            ),
        )

    async def _tour(self, connection: rpc.Connection, hostname: str, database: geo.Database | None) -> bool:
        settings = self._settings
        if database is None:
            show.note(
                "There is no geo database, so clients are not told apart: give one with --geoip FILE", style="yellow"
            )
            self._farewell(hostname, None)
            return True
        listed = await connection.nodes.ListNodes(nodes_pb2.ListNodesRequest(), timeout=rpc.TIMEOUT_S)
        draining = {node.id for node in listed.nodes if node.draining}
        open_nodes = [node for node in settings.nodes if node.id not in draining]
        opened = CityDatabase.open(database.path)
        try:
            clients = geo.clients(opened, (node.region for node in settings.nodes))
        finally:
            opened.close()
        show.note("Asking as clients around the world (the first time, countries take a while) …")
        rows = await tour.walk(settings, hostname, clients, open_nodes, within_s=_TOUR_S)
        show.show(tour.table(rows))
        if database.attribution:
            show.say(database.attribution, style="dim")
        self._farewell(hostname, clients[0] if clients else None)
        wrong = [row for row in rows if row.wrong]
        if wrong:
            show.note(
                f"{len(wrong)} of {len(rows)} clients were not answered as they should be: see the logs in {self._log_dir}",
                style="bold red",
            )
        return not wrong

    def _farewell(self, hostname: str, client: Client | None) -> None:
        settings = self._settings
        host, port = settings.router_dns.rsplit(":", 1)
        subnet = f" +subnet={client.ip}/24" if client else ""
        node = _nearest(settings.nodes, client.location) if client else settings.nodes[0]
        show.say()
        show.say(f"  function       http://{hostname}:{settings.node_port}/")
        show.say(f"  control plane  {settings.control_plane} (gRPC)")
        show.say(f"  router         dns {settings.router_dns}, http {settings.router_http}")
        show.say(f"  dashboard      http://{settings.dashboard}/map#token={self._login}")
        show.say(f"  logs           {self._log_dir}")
        show.say()
        show.say(f"  dig @{host} -p {port} {hostname}{subnet} +short")
        show.say(f"  curl --resolve {hostname}:{settings.node_port}:{node.address} \\")
        show.say(f"       http://{hostname}:{settings.node_port}/")
        show.say()
        if self._release is None:
            show.say("Ctrl-C stops everything; the state stays until `nearhop down --purge`.")
        else:
            show.say("`nearhop status` shows it, `nearhop down` stops it.")


def _first(group: ExceptionGroup[NearhopError]) -> NearhopError:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first


def _nearest(nodes: Iterable[NodeSettings], place: Location) -> NodeSettings:
    return min(nodes, key=lambda node: geo.kilometers(place, node.region.location))
