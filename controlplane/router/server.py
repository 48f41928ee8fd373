"""The router as a process: it binds, starts from its spool, and holds the answers, the probes and the replica together.

One event loop and no locks: what is answered from is swapped whole, by fleet.
"""

import asyncio
import ipaddress
import os
import random
import socket
import time
from collections import Counter
from contextlib import AsyncExitStack

from controlplane.geoip import Places, PlacesConfig
from controlplane.model import FleetView, Verdict
from controlplane.monitoring import HttpServer, Metric, plain
from controlplane.router.answers import AnswerKey
from controlplane.router.config import RouterConfig
from controlplane.router.cookies import SECRET_OCTETS, Cookies, read_secrets
from controlplane.router.doh import DohServer
from controlplane.router.doh import routes as doh_routes
from controlplane.router.fleet import Fleet
from controlplane.router.http import application
from controlplane.router.probes import Probes
from controlplane.router.rates import RateLimit
from controlplane.router.records import RecordsFile
from controlplane.router.redirects import Redirects
from controlplane.router.replica import Identity, Replica
from controlplane.router.responder import Offer, Responder
from controlplane.router.sockets import bind_dns, bind_tcp, bound
from controlplane.router.spool import Spool
from controlplane.router.tcp import TcpListener
from controlplane.router.udp import UdpListener
from controlplane.steering import ClientLocation, Decision, HealthPolicy, decide
from nearhop import log
from nearhop.errors import InvalidInput, NearhopError, Violation
from nearhop.tasks import cancel, spawn

TICK_S = 0.5
STALE_S = 30.0  # without a control plane: answers say that they may be stale

_log = log.get(__name__)


class Router:
    """One router. serve() runs it until *stop* is set; everything before that is bound and loaded by the constructor."""

    def __init__(self, config: RouterConfig) -> None:
        """Bind and load. Raises ListenFailed, InvalidInput and OSError: each a reason not to start."""
        self._config = config
        self._places = Places(PlacesConfig(config.geoip_database, config.geoip_asn_database, config.places_file))
        self._counts: Counter[str] = Counter()
        self._records = RecordsFile(config.records_file, config.zones()) if config.records_file else None
        records = self._records.load() if self._records is not None else ()
        offer = _offer(config)
        self._sockets: list[socket.socket] = []
        try:
            pairs = []
            for endpoint in config.dns_endpoints():
                pairs.append(bind_dns(endpoint, shared=config.share_port))
                self._sockets += pairs[-1]
            http = bind_tcp(config.http_endpoint())
            self._sockets.append(http)
            doh = bind_tcp(config.doh.endpoint()) if config.doh is not None else None
            self._sockets += [] if doh is None else [doh]
            spool = Spool(config.state_dir)
        except BaseException:
            self.close()
            raise
        self.dns = tuple(bound(udp) for udp, _ in pairs)
        self.http = bound(http)
        rng = random.Random()  # noqa: S311  # jitter only
        servers = [ip for at in self.dns if not (ip := ipaddress.ip_address(at.host)).is_unspecified]
        rates = RateLimit(config.rate_limit.replies_per_s, config.rate_limit.slip)
        self._responder = Responder(
            config.zones(),
            self._places.locate,
            time.monotonic,
            servers,
            offer=offer,
            rates=rates,
            record_of=self._places.record_of,
        )
        self._responder.use_records(records)
        self._udp = [UdpListener(udp, self._responder, self._counts) for udp, _ in pairs]
        self._tcp = [TcpListener(tcp, self._responder, self._counts, config.tcp) for _, tcp in pairs]
        self._hostnames: dict[str, str] = {}
        more = doh_routes(self._responder, self._counts)
        self._http = HttpServer(
            Redirects(config.redirect, self, lambda routes: application(self, [*more, *routes])), http
        )
        self.doh = None if doh is None else bound(doh)
        self._doh = (
            None if config.doh is None or doh is None else DohServer(config.doh, doh, self._responder, self._counts)
        )
        self._connected_at = time.monotonic()
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
                if self._doh is not None:
                    spawn(group, self._doh.run_until_told(), name="doh")
                work = [
                    spawn(group, self._probes.run(), name="probes"),
                    spawn(group, self._replica.run(), name="replica"),
                    spawn(group, self._tick(), name="tick"),
                    spawn(group, self._places.follow(self._relocate), name="places"),
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
                if self._doh is not None:
                    self._doh.stop()

    def close(self) -> None:
        """Close what the constructor opened."""
        for sock in self._sockets:
            sock.close()
        self._places.close()

    def explain(self, function: str | None, ip: str) -> tuple[ClientLocation, Decision] | None:
        """See http.Source."""
        client = self._places.locate(ip)
        index = self._fleet.index
        if index is None:
            return None
        if index.candidates(function) is None:
            raise KeyError(function)
        return client, decide(function, client, index, self._fleet.outlook, time.monotonic())

    def function_at(self, host: str) -> str | None:
        """See redirects.Decider."""
        return self._hostnames.get(host)

    def count(self, function: str, client: ClientLocation, decision: Decision) -> None:
        """See redirects.Decider."""
        key = AnswerKey(function, decision.chosen[0].id, client.country, decision.kind)
        self._responder.given.tally(key).count += 1

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
            "places_refused": self._places.refused,
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
        outside = ("udp", "tcp", "dropped", "decisions", "errors", "rate_limited", "slipped")
        replica, city = self._replica, self._places.city
        return [
            Metric("nearhop_dns_messages_total", "counter", "DNS messages received.",
                   [((("transport", name),), counts[name]) for name in transports]),
            Metric("nearhop_dns_replies_total", "counter", "DNS replies by response code.",
                   [((("rcode", name),), value) for name, value in sorted(counts.items()) if name not in outside]),
            plain("nearhop_dns_dropped_total", "counter", "DNS messages that got no reply.", counts["dropped"]),
            Metric("nearhop_dns_rate_limited_total", "counter", "Queries over the limit of their network, by what they got.",
                   [((("got", "nothing"),), counts["rate_limited"]), ((("got", "truncation"),), counts["slipped"])]),
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
                  city.damaged_records if city else 0),
            plain("nearhop_geoip_build_timestamp_seconds", "gauge", "When the City database was built; 0 without one.", city.built_at if city else 0),
            plain("nearhop_geoip_changes_total", "counter", "Databases and places files that were replaced while running.", self._places.changes),
            plain("nearhop_geoip_refused", "gauge", "Files that were offered and are not used.", len(self._places.refused)),
        ]  # fmt: skip

    def _by_reason(self) -> list[tuple[tuple[tuple[str, str], ...], float]]:
        counts: Counter[str] = Counter()
        for key, count in self._responder.given.items():
            counts[key.reason] += count
        return [((("reason", reason),), count) for reason, count in sorted(counts.items())]

    def _take_over(self, view: FleetView) -> None:
        self._fleet.take_over(view)
        self._hostnames = {hostname: function.name for function in view.functions for hostname in function.hostnames}
        self._probes.follow(view)

    def _report_soon(self) -> None:
        self._replica.report_soon()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._fleet.tick()
            self._replica.relay()
            await self._replica.accept_if_told()
            self._watch_staleness()
            if self._records is not None and self._records.changed():
                await self._reload_records(self._records)

    def _relocate(self) -> None:
        self._responder.relocate(self._places.locate, self._places.record_of)

    def _watch_staleness(self) -> None:
        now = time.monotonic()
        if self._replica.connected:
            self._connected_at = now
        self._responder.tell_stale(now - self._connected_at > STALE_S)

    async def _reload_records(self, records: RecordsFile) -> None:
        try:
            self._responder.use_records(await asyncio.to_thread(records.load))
        except (NearhopError, OSError) as error:
            self._counts["records_refused"] += 1
            _log.error("the records are refused, the last good ones stay", path=str(records.path), reason=str(error))
        else:
            _log.info("the records were read anew", path=str(records.path))


def _offer(config: RouterConfig) -> Offer:
    if config.cookie_secrets_file is None:
        secrets = [os.urandom(SECRET_OCTETS)]
    else:
        try:
            secrets = read_secrets(config.cookie_secrets_file.read_text())
        except ValueError as error:
            raise InvalidInput([Violation(str(config.cookie_secrets_file), str(error))]) from error
    return Offer(
        nsid=(config.nsid or config.id).encode(),
        https=config.https,
        cookies=Cookies(secrets),
        udp_size_without_cookie=config.udp_size_without_cookie_bytes,
        keepalive_s=config.tcp.idle_s,
    )
