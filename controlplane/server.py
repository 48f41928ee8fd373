"""The control plane's process: everything wired together, started, and stopped in order.

It starts without etcd: calls end with UNAVAILABLE until the store was read once. With identities it does not even listen before, since the
authority of its own certificate is in the store.
"""

import asyncio
import contextlib
import errno
import functools
import secrets
import socket
import time
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from controlplane import access
from controlplane.access import Access
from controlplane.api import packs
from controlplane.api.authentication import MESSAGE_MAX_BYTES
from controlplane.api.deployments import Deployments
from controlplane.api.errors import ErrorInterceptor, Unavailable
from controlplane.api.events import Events
from controlplane.api.flows import Flows
from controlplane.api.functions import Functions
from controlplane.api.logs import Logs
from controlplane.api.mutations import Mutations
from controlplane.api.node_control import NodeControl
from controlplane.api.nodes import Nodes, look
from controlplane.api.publisher import Publisher
from controlplane.api.purges import Purges
from controlplane.api.router_control import RouterControl
from controlplane.api.routers import Routers
from controlplane.api.routing import Routing
from controlplane.api.scheduled import Scheduled
from controlplane.api.secrets import Safe
from controlplane.api.sessions import Beat, Sessions
from controlplane.api.versions import Versions
from controlplane.bundle import self_contained
from controlplane.config import Config
from controlplane.controllers.collector import Collector
from controlplane.controllers.crons import Crons
from controlplane.controllers.deployments import Deployments as DeploymentController
from controlplane.controllers.deployments import Rollouts
from controlplane.controllers.presence import Presences
from controlplane.controllers.trimmer import Trimmer
from controlplane.figures import figures
from controlplane.geoip import Places
from controlplane.model import Node
from controlplane.monitoring import HttpServer, Metric, application
from controlplane.store.bundles import EtcdBundles
from controlplane.store.cache import Cache
from controlplane.store.client import Store
from controlplane.store.election import Election
from controlplane.store.requests import Requests
from nearhop import log, tasks
from nearhop.errors import NearhopError
from nearhop.v1 import (
    deployments_pb2,
    deployments_pb2_grpc,
    events_pb2,
    events_pb2_grpc,
    functions_pb2,
    functions_pb2_grpc,
    identity_pb2,
    node_control_pb2,
    node_control_pb2_grpc,
    nodes_pb2,
    nodes_pb2_grpc,
    router_control_pb2,
    router_control_pb2_grpc,
    routing_pb2,
    routing_pb2_grpc,
    versions_pb2,
    versions_pb2_grpc,
)

_log = log.get(__name__)

_AGENT_BACKOFF_S = 10.0  # how long agents may pause between two attempts to connect
_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.so_reuseport", 0),  # or a second control plane would share the port in silence
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 1_000),
    ("grpc.http2.max_ping_strikes", 0),
]


_CONTROLLERS = ("deployments", "collector", "presences", "trimmer", "crons")  # each is led by one of the control planes


class AddressInUse(NearhopError):
    """The address to listen on is taken, or is not this machine's."""


class Stopped(NearhopError):
    """It was told to stop while it still waited for what it needs."""


class ControlPlane:
    """The parts of one control plane; run() gives them life."""

    def __init__(self, config: Config, *, inspect: Any = self_contained) -> None:
        self.config = config
        limits = config.limits
        self.store = access.store(config)
        self.cache = Cache(self.store)
        self.sessions = Sessions(Beat(limits.heartbeat_interval_s, limits.lease_ttl_s))
        self.safe = Safe()
        self.publisher = Publisher(self.cache, config.zone, self.safe)
        self.logs = Logs()
        self.mutations = Mutations(self.store, self.cache, Requests(self.store, monotonic=time.monotonic))
        self.purges = Purges(self.mutations, self.cache, self.sessions)
        self._scheduled = Scheduled(self.store, self.cache)
        self.routers = Routers()
        self.flows = Flows()
        self.interceptor = ErrorInterceptor()
        self.access: Access | None = None
        self.fleet_port = 0
        self._inspect = inspect
        self._bundles = self._bundles_in(self.store)
        candidate = f"{config.listen} {secrets.token_hex(4)}"
        self.elections = {
            name: Election(self.store, name, candidate, ttl_s=limits.leader_ttl_s) for name in _CONTROLLERS
        }
        self._candidates: list[asyncio.Task[Any]] = []
        self._rollouts = Rollouts(time.time, limits.progress_deadline_s)
        self._router_control = RouterControl(self.cache, self.publisher, self.routers, self.flows)
        self._leads = dict.fromkeys(_CONTROLLERS, False)
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]  # missing from the stubs

    @contextlib.asynccontextmanager
    async def running(self, stop: asyncio.Event | None = None) -> AsyncIterator[int]:
        """Serve as long as the context lasts; gives the port. Raises AddressInUse, Stopped when *stop* is set before it could serve."""
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self.store.close)
            places = stack.enter_context(contextlib.closing(Places(self.config.places())))
            self._require_addresses()
            if self.config.identity is not None:
                self.access = await access.opened(self.store, self.config, stop)
                if self.access is None:
                    raise Stopped("it was told to stop before it could serve")
                self.safe.seal = self.access.seal
            guards = [self.access.interceptor] if self.access else []
            # With a guard, what is too large for it is refused with its size; what is twice as large gRPC refuses by itself.
            largest = ("grpc.max_receive_message_length", MESSAGE_MAX_BYTES * (2 if guards else 1))
            server = grpc.aio.server(interceptors=[self.interceptor, *guards], options=[*_OPTIONS, largest])
            await self._add_services(server, places)
            port = self._listen(server)
            monitor = self._monitor()
            async with asyncio.TaskGroup() as group:
                work = [*self._spawn(group), tasks.spawn(group, places.follow(), name="places")]
                if monitor is not None:
                    tasks.spawn(group, monitor.run_until_told(), name="metrics")
                await server.start()
                try:
                    yield port
                finally:
                    if monitor is not None:
                        monitor.stop()
                    await self._stop(server)
                    for task in work:
                        task.cancel()

    def figures(self) -> list[Metric]:
        """Return the metrics of now."""
        return figures(
            self.interceptor,
            self.access.interceptor.connections if self.access else None,
            nodes=len(self.sessions),
            routers=len(self.routers.all()),
            leads=self._leads,
            revision=self.cache.view.revision,
        )

    def _monitor(self) -> HttpServer | None:
        if not self.config.metrics_listen:
            return None
        host, _, port = self.config.metrics_listen.rpartition(":")
        require_free(self.config.metrics_listen)
        sock = socket.create_server(
            (host.strip("[]"), int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
        return HttpServer(application(self.figures), sock)

    def _require_addresses(self) -> None:
        require_free(self.config.listen)
        if self.config.identity is not None:
            require_free(self.config.identity.listen)

    def _listen(self, server: grpc.aio.Server) -> int:
        if self.access is None or self.config.identity is None:
            return listen(server, self.config.listen, None)
        self.fleet_port = listen(server, self.config.identity.listen, self.access.credentials(clients=True))
        return listen(server, self.config.listen, self.access.credentials(clients=False))

    def _spawn(self, group: asyncio.TaskGroup) -> list[asyncio.Task[Any]]:
        self._candidates = [
            tasks.spawn(group, election.run(functools.partial(self._lead, name)), name=f"election: {name}")
            for name, election in self.elections.items()
        ]
        guarding = self.access.work() if self.access else []
        return [
            tasks.spawn(group, work, name=name)
            for name, work in (
                ("cache", self.cache.run()),
                ("publisher", self.publisher.run()),
                ("scheduled calls", self._scheduled.run()),
                ("health service", self._tell_health()),
                *guarding,
            )
        ]

    async def _lead(self, name: str, store: Store) -> None:
        await self._health.set(leading(name), health_pb2.HealthCheckResponse.SERVING)
        self._leads[name] = True
        try:
            await self._control(name, store)
        finally:
            self._leads[name] = False
            await self._health.set(leading(name), health_pb2.HealthCheckResponse.NOT_SERVING)

    def _control(self, name: str, store: Store) -> Coroutine[Any, Any, None]:
        limits = self.config.limits
        match name:
            case "deployments":
                return DeploymentController(store, self.cache, self._rollouts).run()
            case "collector":
                bundles = self._bundles_in(store)
                return Collector(bundles, self.cache, clock=time.time, grace_s=limits.bundle_grace_s).run()
            case "presences":
                quiet_s = limits.lease_ttl_s + _AGENT_BACKOFF_S
                return Presences(store, self.cache, self._look, clock=time.time, quiet_s=quiet_s).run()
            case "crons":
                return Crons(store, self.cache, clock=time.time).run()
            case "trimmer":
                return Trimmer(store, self.cache).run()
            case _:
                raise ValueError(f"there is no controller {name!r}")

    def _look(self, node: Node, connected: bool) -> tuple[bool | None, str]:
        return look(node, connected, self.routers.witnesses(node.id))

    def _bundles_in(self, store: Store) -> EtcdBundles:
        return EtcdBundles(store, clock=time.time, quota_bytes=self.config.limits.bundle_quota_mib << 20)

    async def _add_services(self, server: grpc.aio.Server, places: Places) -> None:
        mutations = self.mutations
        functions = Functions(
            self.mutations,
            self.cache,
            self.config.zone,
            safe=self.safe,
            purges=self.purges,
            logs=self.logs,
            sessions=self.sessions,
        )
        functions_pb2_grpc.add_FunctionsServicer_to_server(functions, server)
        versions_pb2_grpc.add_VersionsServicer_to_server(
            Versions(mutations, self.cache, self._bundles, self._inspect, packs.inspect), server
        )
        deployments_pb2_grpc.add_DeploymentsServicer_to_server(
            Deployments(mutations, self.cache, self._rollouts), server
        )
        nodes_pb2_grpc.add_NodesServicer_to_server(Nodes(mutations, self.cache, self.sessions, self.routers), server)
        events_pb2_grpc.add_EventsServicer_to_server(Events(self.cache), server)
        routing_pb2_grpc.add_RoutingServicer_to_server(
            Routing(self.cache, self.publisher, self.routers, places, flows=self.flows, clock=time.time), server
        )
        node_control = NodeControl(
            self.store,
            self.cache,
            self.publisher,
            self._bundles,
            self.sessions,
            logs=self.logs,
            scheduled=self._scheduled,
            clock=time.time,
        )
        node_control_pb2_grpc.add_NodeControlServicer_to_server(node_control, server)
        router_control_pb2_grpc.add_RouterControlServicer_to_server(self._router_control, server)
        if self.access is not None:
            self.access.add_services(server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)  # type: ignore[no-untyped-call]
        reflection.enable_server_reflection([*_services(), reflection.SERVICE_NAME], server)
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        for name in self.elections:
            await self._health.set(leading(name), health_pb2.HealthCheckResponse.NOT_SERVING)

    async def _tell_health(self) -> None:
        await self.cache.synced.wait()
        await self._set_health(health_pb2.HealthCheckResponse.SERVING)

    async def _set_health(self, status: Any) -> None:
        for name in ["", *_services()]:
            await self._health.set(name, status)

    async def _resign(self) -> None:
        for task in self._candidates:
            task.cancel()
        await asyncio.wait(self._candidates)

    async def _stop(self, server: grpc.aio.Server) -> None:
        await self._resign()
        await self._health.enter_graceful_shutdown()
        why = Unavailable("SHUTTING_DOWN", "this control plane is shutting down")
        self.sessions.end_all(why)
        self._router_control.end_all(why)
        await server.stop(self.config.limits.shutdown_grace_s)


async def serve(config: Config) -> None:
    """Run a control plane until SIGTERM or SIGINT. Raises AddressInUse."""
    stop = tasks.stop_event()
    with contextlib.suppress(Stopped):
        async with ControlPlane(config).running(stop):
            fleet = config.identity.listen if config.identity else "none"
            etcd = ",".join(config.etcd)
            _log.info("the control plane listens", address=config.listen, fleet=fleet, etcd=etcd, zone=config.zone)
            await stop.wait()
            _log.info("the control plane is stopping")


def leading(controller: str) -> str:
    """Return the name under which the health service says whether this control plane leads *controller*."""
    return f"nearhop.leads.{controller}"


def require_free(address: str) -> None:
    """Make sure that host:port can be listened on. Raises AddressInUse."""
    host, _, port = address.rpartition(":")
    try:
        # gRPC's own error does not say why.
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        with socket.socket(found[0][0], socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(found[0][4])
    except OSError as error:
        why = "is in use by another process" if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}"
        raise AddressInUse(f"the listen address {address} {why}") from error


def listen(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None) -> int:
    """Bind *server* to host:port, by TLS with *credentials*, and return the port. Raises AddressInUse."""
    require_free(address)
    try:
        if credentials is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise AddressInUse(f"the listen address {address} cannot be used: {error}") from error


def _services() -> list[str]:
    modules = (
        functions_pb2, versions_pb2, deployments_pb2, nodes_pb2, routing_pb2, node_control_pb2, router_control_pb2,
        identity_pb2, events_pb2,
    )  # fmt: skip
    ours = [service.full_name for module in modules for service in module.DESCRIPTOR.services_by_name.values()]
    return [*ours, health.SERVICE_NAME]
