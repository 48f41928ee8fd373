"""The router as a process: it binds, starts from its spool, and holds the answers, the probes and the replica together.

One event loop and no locks: what is answered from is swapped whole, by fleet.
"""

import asyncio
import ipaddress
import random
import socket
import time
from collections import Counter
from contextlib import AsyncExitStack

from controlplane.geoip import CityDatabase
from controlplane.model import FleetView, Verdict
from controlplane.router.config import RouterConfig
from controlplane.router.fleet import Fleet
from controlplane.router.http import HttpServer, application
from controlplane.router.metrics import Metric, plain
from controlplane.router.probes import Probes
from controlplane.router.replica import Identity, Replica
from controlplane.router.responder import Responder
from controlplane.router.sockets import bind_dns, bind_tcp, bound
from controlplane.router.spool import Spool
from controlplane.router.tcp import TcpListener
from controlplane.router.udp import UdpListener
from controlplane.steering import ClientLocation, Decision, HealthPolicy, decide, unlocated
from nearhop import log
from nearhop.tasks import cancel, spawn

TICK_S = 0.5

_log = log.get(__name__)


class Router:
    """One router. serve() runs it until *stop* is set; everything before that is bound and loaded by the constructor."""

    def __init__(self, config: RouterConfig) -> None:
        """Bind and load. Raises ListenFailed, InvalidInput and OSError: each a reason not to start."""
        self._config = config
        self._geo = CityDatabase.open(config.geoip_database) if config.geoip_database else None
        self._counts: Counter[str] = Counter()
        self._sockets: list[socket.socket] = []
        try:
            pairs = []
            for endpoint in config.dns_endpoints():
                pairs.append(bind_dns(endpoint))
                self._sockets += pairs[-1]
            http = bind_tcp(config.http_endpoint())
            self._sockets.append(http)
            spool = Spool(config.state_dir)
        except BaseException:
            self.close()
            raise
        self.dns = tuple(bound(udp) for udp, _ in pairs)
        self.http = bound(http)
        rng = random.Random()  # noqa: S311  # jitter only
        servers = [ip for at in self.dns if not (ip := ipaddress.ip_address(at.host)).is_unspecified]
        self._responder = Responder(config.zone, self._locate, time.monotonic, servers)
        self._udp = [UdpListener(udp, self._responder, self._counts) for udp, _ in pairs]
        self._tcp = [TcpListener(tcp, self._responder, self._counts) for _, tcp in pairs]
        self._http = HttpServer(application(self), http)
        policy = HealthPolicy(failures_down=config.probe.failures_down, successes_up=config.probe.successes_up)
        self._fleet = Fleet(config.id, policy, self._responder.publish, self._report_soon)
        self._probes = Probes(config.probe, config.id, self._fleet.observe, rng)
        identity = Identity(config.id, str(self.dns[0]), str(self.http), config.zone)
        self._membership = config.membership()
        self._replica = Replica(
            identity,
            config.control_planes,
            spool,
            membership=self._membership,
            take_over=self._take_over,
            witnesses=self._fleet.witnesses,
            answers=self._responder.given,
            rng=rng,
            hear=self._fleet.hear,
            sights=self._fleet.sights,
        )

    async def serve(self, stop: asyncio.Event) -> None:
        """Answer until *stop* is set, then end every task and close every socket."""
        self._replica.start_from_spool()
        async with AsyncExitStack() as stack:
            stack.callback(self.close)
            for udp in self._udp:
                udp.start()
                stack.callback(udp.close)
            for tcp in self._tcp:
                await tcp.start()
                stack.push_async_callback(tcp.close)
            async with asyncio.TaskGroup() as group:
                http = spawn(group, self._http.run_until_told(), name="http")
                work = [
                    spawn(group, self._probes.run(), name="probes"),
                    spawn(group, self._replica.run(), name="replica"),
                    spawn(group, self._tick(), name="tick"),
                ]
                if self._membership is not None:
                    work.append(spawn(group, self._membership.run(), name="membership"))
                    work.append(spawn(group, self._replica.reopen_on_renewal(), name="replica renewal"))
                _log.info(
                    "the router listens", dns=" ".join(map(str, self.dns)), http=str(self.http), zone=self._config.zone
                )
                await stop.wait()
                _log.info("the router stops")
                for task in work:
                    await cancel(task)
                self._http.stop()
                await http

    def close(self) -> None:
        """Close what the constructor opened."""
        for sock in self._sockets:
            sock.close()
        if self._geo is not None:
            self._geo.close()

    def explain(self, function: str | None, ip: str) -> tuple[ClientLocation, Decision] | None:
        """See http.Source."""
        client = self._locate(ipaddress.ip_address(ip))
        index = self._fleet.index
        if index is None:
            return None
        if index.candidates(function) is None:
            raise KeyError(function)
        return client, decide(function, client, index, self._fleet.outlook, time.monotonic())

    def status(self) -> dict[str, object]:
        """See http.Source."""
        view = self._replica.view
        return {
            "ready": view is not None,
            "router": self._config.id,
            "zone": self._config.zone,
            "dns": [str(at) for at in self.dns],
            "http": str(self.http),
            "epoch": view.epoch if view is not None else 0,
            "control_plane_connected": self._replica.connected,
            "alarm": self._fleet.alarm,
            "waiting": self._replica.waiting,
            "quarantined": [str(violation) for violation in self._replica.quarantined],
            "nodes": {
                witness.node: {"verdict": witness.verdict, "reason": witness.reason}
                for witness in self._fleet.witnesses()
            },
        }

    def metrics(self) -> list[Metric]:
        """See http.Source."""
        counts = self._responder.counts
        transports = ("udp", "tcp")
        outside = ("udp", "tcp", "dropped", "decisions", "errors")
        replica = self._replica
        return [
            Metric("nearhop_dns_messages_total", "counter", "DNS messages received.",
                   [((("transport", name),), counts[name]) for name in transports]),
            Metric("nearhop_dns_replies_total", "counter", "DNS replies by response code.",
                   [((("rcode", name),), value) for name, value in sorted(counts.items()) if name not in outside]),
            plain("nearhop_dns_dropped_total", "counter", "DNS messages that got no reply.", counts["dropped"]),
            plain("nearhop_dns_decisions_total", "counter", "Decisions made, the others were remembered.", counts["decisions"]),
            plain("nearhop_internal_errors_total", "counter", "Errors of this router that were caught.", counts["errors"] + replica.errors),
            Metric("nearhop_dns_socket_events_total", "counter", "What happened to DNS sockets and connections.",
                   [((("event", name),), value) for name, value in sorted(self._counts.items())]),
            plain("nearhop_dns_tcp_connections", "gauge", "Open DNS connections.", sum(tcp.connections for tcp in self._tcp)),
            Metric("nearhop_node_up", "gauge", "1 when the node is answered with, 0 when it is down.",
                   [((("node", node),), verdict is not Verdict.DOWN) for node, verdict in self._fleet.outlook.items()]),
            Metric("nearhop_node_in_doubt", "gauge", "1 while the node's answers have a short TTL.",
                   [((("node", node),), node in self._fleet.outlook.doubts) for node in self._fleet.outlook]),
            Metric("nearhop_node_shed_share", "gauge", "The share of its networks that a full node gives away.",
                   [((("node", node),), share) for node, share in (self._fleet.index.shed.items() if self._fleet.index else ())]),
            Metric("nearhop_answers_total", "counter", "Answers for functions, by the kind of their reason.", self._by_reason()),
            plain("nearhop_routing_epoch", "gauge", "Epoch of the view that is answered from.", replica.view.epoch if replica.view else 0),
            plain("nearhop_control_plane_connected", "gauge", "1 while views are streamed.", replica.connected),
            plain("nearhop_views_refused_total", "counter", "Routing views that were refused.", replica.refused_views),
            plain("nearhop_spool_errors_total", "counter", "Views that could not be spooled.", replica.spool_errors),
            plain("nearhop_probes_inconclusive_total", "counter", "Probes not counted, the router itself was late.", self._probes.inconclusive),
            plain("nearhop_alarm", "gauge", "1 while the brake holds verdicts.", bool(self._fleet.alarm)),
            plain("nearhop_view_waiting", "gauge", "1 while a refused view waits for an operator's word.", bool(replica.waiting)),
            plain("nearhop_view_entries_quarantined", "gauge", "Entries of the view that are not used.", len(replica.quarantined)),
            plain("nearhop_geoip_damaged_records_total", "counter", "Look-ups that met a damaged record.",
                  self._geo.damaged_records if self._geo else 0),
        ]  # fmt: skip

    def _by_reason(self) -> list[tuple[tuple[tuple[str, str], ...], float]]:
        counts: Counter[str] = Counter()
        for key, count in self._responder.given.items():
            counts[key.reason] += count
        return [((("reason", reason),), count) for reason, count in sorted(counts.items())]

    def _locate(self, ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ClientLocation:
        return self._geo.locate(ip) if self._geo is not None else unlocated(ip)

    def _take_over(self, view: FleetView) -> None:
        self._fleet.take_over(view)
        self._probes.follow(view)

    def _report_soon(self) -> None:
        self._replica.report_soon()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._fleet.tick()
            self._replica.relay()
            await self._replica.accept_if_told()
