"""Puts together what sandboxes are started with, and the one way out that they have."""

import socket
from ipaddress import ip_address
from pathlib import Path

import psutil

from nearhop import log
from nearhop.errors import NearhopError
from node import config
from node.config import NodeConfig
from node.egress.addresses import Rules
from node.egress.supervisor import Egress, addresses_of
from node.haproxy import render
from node.sandbox import egress
from node.sandbox.isolation.launcher import Launcher, Settings

_logger = log.get(__name__)


class NotIsolated(NearhopError):
    """The machine does not allow the isolation that the configuration demands."""


async def open_launcher(settings: NodeConfig, sockets: Path, deno: Path) -> Launcher:
    """Return what starts sandboxes. Raises NotIsolated, IsolationError."""
    launcher = Launcher(
        Settings(
            deno=deno,
            run_dir=sockets,
            cache_dir=settings.state_dir.resolve() / "deno",
            deny_net=egress.deny_net(config.networks(settings.egress_allow), _local_addresses()),
            public=lambda slot: Path(render.slot_socket(str(sockets), slot)),
        )
    )
    await launcher.open()
    if launcher.level != "full":
        if settings.isolation == "full":
            await launcher.close()
            raise NotIsolated(f'the configuration demands isolation = "full", but here it is {launcher.level}')
        _logger.warning("sandboxes are not fully isolated", level=launcher.level)
    return launcher


async def run_egress(settings: NodeConfig, launcher: Launcher) -> None:
    """Keep the egress proxy running until cancelled."""
    advertised = [f"{address}:0" for address in (*settings.advertise_ipv4, *settings.advertise_ipv6)]
    own = await addresses_of([*settings.control_planes, *advertised])
    own |= {ip_address(address.partition("%")[0]) for address in _local_addresses()}
    rules = Rules(allow=config.networks(settings.egress_allow), own=own)
    await Egress(launcher.services / "egress.sock", rules).run()


def _local_addresses() -> list[str]:
    interfaces = psutil.net_if_addrs().values()
    families = (socket.AF_INET, socket.AF_INET6)
    return [item.address for addresses in interfaces for item in addresses if item.family in families]
