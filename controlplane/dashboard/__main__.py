"""Runs the dashboard: python -m controlplane.dashboard --config FILE. Exit status 0 after a clean stop, 3 when it cannot start."""

import argparse
import asyncio
import ipaddress
import socket
import sys
from pathlib import Path

from controlplane.dashboard.app import create
from controlplane.dashboard.config import Config
from controlplane.monitoring import HttpServer
from nearhop import config as configuration
from nearhop import log, tasks
from nearhop.errors import InvalidInput, Violation

EXIT_CANNOT_START = 3
_DRAIN_S = 2

_log = log.get(__name__)


def main() -> int:
    """Run until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m controlplane.dashboard", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    path = parser.parse_args().config
    try:
        config = configuration.load(path, Config)
        authorities = config.authorities.read_bytes() if config.authorities is not None else None
        listener = _listen(config.listen)
    except (InvalidInput, OSError) as error:
        print(f"the dashboard cannot start: {error}", file=sys.stderr)
        return EXIT_CANNOT_START
    log.configure("dashboard", level=config.log_level, form=config.log_format)
    with listener:
        asyncio.run(_run(config, listener, authorities))
    return 0


async def _run(config: Config, listener: socket.socket, authorities: bytes | None) -> None:
    await serve(config, listener, tasks.stop_event(), authorities)


async def serve(config: Config, listener: socket.socket, stop: asyncio.Event, authorities: bytes | None = None) -> None:
    """Serve on *listener* until *stop*."""
    app = create(config, stop, authorities)
    # No bound on concurrency: each open page keeps a stream, and the views count those.
    server = HttpServer(app, listener, lifespan="on", drain_s=_DRAIN_S, concurrency=None, head_bytes=16 * 1024)
    _log.info("the dashboard serves", url=f"http://{config.listen}", control_planes=config.control_planes)
    async with asyncio.TaskGroup() as group:
        tasks.spawn(group, _stop_with(server, stop), name="dashboard-stop")
        tasks.spawn(group, server.run_until_told(), name="dashboard-server")
    _log.info("the dashboard has stopped")


async def _stop_with(server: HttpServer, stop: asyncio.Event) -> None:
    await stop.wait()
    server.stop()


def _listen(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
        number = int(port)
    except ValueError as error:
        raise InvalidInput([Violation("listen", f'"{address}" is not an address and a port: {error}')]) from error
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, number))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise OSError(f"{address}: {error.strerror}; stop what listens there or set another `listen`") from error
    except OverflowError as error:
        listener.close()
        raise InvalidInput([Violation("listen", f"{port} is not a port")]) from error
    return listener


if __name__ == "__main__":
    sys.exit(main())
