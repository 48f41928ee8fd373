"""Puts the agent together, runs it until it is told to stop, and takes it apart in order."""

import asyncio
import os
from pathlib import Path

from nearhop import engines, log, tasks
from nearhop.errors import NearhopError
from nearhop.membership import Membership
from nearhop.spiffe import Part, Role
from node import config
from node.agent import files, isolating, paths, priority
from node.agent.bundles import BundleStore
from node.agent.loop import Agent
from node.agent.paths import StateError
from node.agent.scheduled import ScheduledCalls
from node.agent.session import Session
from node.config import NodeConfig
from node.geo.service import GeoService, Places, UnusableDatabase
from node.haproxy import countries, render, tls
from node.haproxy import settings as ingress_settings
from node.haproxy.process import Ingress
from node.sandbox.activator import Activator, Bounds
from node.sandbox.command import MINIMUM_DENO
from node.sandbox.isolation.launcher import Launcher
from node.sandbox.pool import Pool, Settings

_STOP_GRACE_S = 5.0  # for requests in flight
_logger = log.get(__name__)


class Refused(NearhopError):
    """The node cannot start like this; starting it again would not help."""


async def run(settings: NodeConfig) -> None:
    """Run the node until SIGTERM or SIGINT. Raises a NearhopError for what keeps it from starting."""
    stop = tasks.stop_event()
    priority.rise()
    deno = engines.find("deno")
    if deno.version < MINIMUM_DENO:
        raise Refused(
            f"Deno {deno} is too old to hold a sandbox; at least {'.'.join(map(str, MINIMUM_DENO))} is needed"
        )
    _make(settings.state_dir)
    with paths.lock(settings.state_dir) as claim:
        sockets = paths.run_dir(settings.state_dir)
        paths.clean(sockets)
        await _serve(settings, sockets, deno.path, stop)
        try:
            paths.remove(sockets, settings.state_dir, claim)
        except (StateError, OSError) as error:
            _logger.warning("the directory of the sockets stays", path=str(sockets), error=str(error))


async def _serve(settings: NodeConfig, sockets: Path, deno: Path, stop: asyncio.Event) -> None:
    maps = settings.state_dir / "haproxy"
    _make(maps)
    ingress = Ingress(_ingress_settings(settings, sockets, maps))
    bundles = BundleStore(settings.state_dir / "bundles")
    await asyncio.to_thread(bundles.open)
    sandboxes = await isolating.open_launcher(settings, sockets, deno)
    assets = await files.open_files(settings.state_dir, (sockets, sandboxes.services), ingress, deno)
    agent = Agent(settings, ingress, bundles, assets)
    agent.load()
    agent.pool = Pool(
        _pool_settings(settings, sockets, sandboxes),
        ingress,
        changed=agent.sandbox_changed,
        ended=agent.sandbox_ended,
    )
    agent.demand.bounds = Bounds(within_s=settings.activation_s)
    activator = Activator(Path(ingress_settings.activator_socket(str(sockets))), agent.pool, agent.activate)
    membership = _membership(settings)
    agent.session = Session(settings.control_planes, agent, membership)
    agent.pool.logged = agent.logged
    agent.pool.assigned = agent.sandbox_assigned
    agent.pool.overran = agent.breakers.ended
    agent.pool.served = agent.breakers.served
    agent.calls = ScheduledCalls(agent.pool, agent.activate, agent.session.send, agent.logbook)
    country_map = _country_map(settings)
    if country_map is not None and await asyncio.to_thread(country_map.exists):
        ingress.link_countries(country_map)
        country_map = None
    routes = agent.routes_at_start()
    await agent.show_files()
    await activator.open()
    await ingress.start(routes)
    _logger.info("ingress ready", listen=settings.listen)
    async with asyncio.TaskGroup() as group:
        work = [
            tasks.spawn(group, ingress.supervise(), name="ingress"),
            tasks.spawn(group, ingress.compare_now_and_then(), name="ingress maps"),
            tasks.spawn(group, agent.pool.run(), name="pool"),
            tasks.spawn(group, isolating.run_egress(settings, sandboxes), name="egress"),
            tasks.spawn(group, assets.run(), name="static files"),
            tasks.spawn(group, agent.run(), name="reconcile"),
            tasks.spawn(group, agent.session.run(), name="session"),
            tasks.spawn(group, agent.report(), name="report"),
            tasks.spawn(group, agent.logbook.run(agent.session.send), name="function logs"),
            tasks.spawn(group, agent.calls.run(), name="scheduled calls"),
        ]
        if membership is not None:
            work.append(tasks.spawn(group, membership.run(), name="membership"))
            work.append(tasks.spawn(group, agent.session.reopen_on_renewal(), name="session renewal"))
        if settings.edge_cache_mib:
            work.append(tasks.spawn(group, ingress.learn(), name="edge cache"))
        if settings.tls_listen:
            work.append(tasks.spawn(group, tls.follow(Path(settings.tls_certificates), ingress), name="certificates"))
        if settings.geoip_database:
            work.append(
                tasks.spawn(group, _geo(Path(settings.geoip_database), sandboxes.services / "geo.sock"), name="geo")
            )
        if country_map is not None:
            work.append(tasks.spawn(group, _countries(settings, ingress, country_map), name="countries"))
        await stop.wait()
        _logger.info("stopping")
        await ingress.stop(_STOP_GRACE_S)
        activator.close()
        for task in work:
            task.cancel()
    await sandboxes.close()


def _membership(settings: NodeConfig) -> Membership | None:
    if settings.insecure:
        return None
    part = Part(Role.NODE, settings.id, settings.region)
    return Membership(part, settings.identity, settings.control_planes, settings.join)


def _ingress_settings(settings: NodeConfig, sockets: Path, maps: Path) -> render.Ingress:
    return render.Ingress(
        node=settings.id,
        region=settings.region,
        listen=tuple(settings.listen),
        slots=settings.slots,
        run_dir=str(sockets),
        map_dir=str(maps.resolve()),
        trusted_proxies=config.networks(settings.trusted_proxies),
        threads=settings.haproxy_threads or max(1, len(os.sched_getaffinity(0)) // 2),
        max_connections=settings.max_connections,
        proxy_protocol=config.networks(settings.proxy_protocol),
        tls_listen=tuple(settings.tls_listen),
        redirect_to_https=settings.redirect_to_https,
        cache_mib=settings.edge_cache_mib,
    )


def _pool_settings(settings: NodeConfig, sockets: Path, it: Launcher) -> Settings:
    return Settings(
        launcher=it,
        slots=settings.slots,
        socket=lambda slot: Path(render.slot_socket(str(sockets), slot)),
        boot_cpu_s=settings.boot_cpu_s,
        boot_wall_s=settings.boot_wall_s,
        idle_s=settings.idle_s,
        warm=min(settings.warm_sandboxes, settings.slots // 4),
        node=settings.id,
        region=settings.region,
        services={
            name: Path(it.service(name)) for name in ("egress", "assets", *(["geo"] if settings.geoip_database else []))
        },
    )


def _country_map(settings: NodeConfig) -> Path | None:
    if not settings.geoip_database:
        return None
    try:
        return countries.cached(Path(settings.geoip_database), settings.cache.resolve())
    except countries.CountryMapError as error:
        _logger.warning("clients' countries are unknown", error=str(error))
        return None


async def _geo(database: Path, socket: Path) -> None:
    try:
        places = await asyncio.to_thread(Places.open, database)
    except UnusableDatabase as error:
        _logger.warning("clients' places are unknown", error=str(error))
        return
    try:
        async with GeoService(places).serving(socket):
            await asyncio.Event().wait()
    finally:
        places.close()


async def _countries(settings: NodeConfig, ingress: Ingress, country_map: Path) -> None:
    try:
        await countries.build(Path(settings.geoip_database), country_map)
        await ingress.load_countries(country_map)
        _logger.info("country map loaded", path=str(country_map))
    except NearhopError as error:
        _logger.warning("clients' countries are unknown", error=str(error))


def _make(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
