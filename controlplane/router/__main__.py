"""python -m controlplane.router --config FILE. Status 0 after a clean stop, 3 when it cannot start and a retry would not help."""

import argparse
import asyncio
import gc
import sys
from pathlib import Path

from controlplane.router.config import load
from controlplane.router.server import Router
from nearhop import log
from nearhop.errors import NearhopError
from nearhop.tasks import stop_event

EXIT_CANNOT_START = 3


def main() -> int:
    """Run one router until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(
        prog="python -m controlplane.router", description="Nearhop's authoritative DNS router."
    )
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="TOML file, see RouterConfig")
    return asyncio.run(_run(parser.parse_args().config))


async def _run(path: Path) -> int:
    stop = stop_event()
    try:
        config = load(path)
        log.configure(f"router {config.id}", level=config.log_level, form=config.log_format)
        router = Router(config)
    except (NearhopError, OSError) as error:
        sys.stderr.write(f"router: cannot start: {error}\n")
        return EXIT_CANNOT_START
    calm_collector()
    await router.serve(stop)
    return 0


def calm_collector() -> None:
    """Let Python's collector of cycles look rarely, and never at what is there now.

    What is remembered of addresses grows to millions of objects that are no garbage; to walk through them again and again costs a third of a new
    address' time. The collector is left for the cycles of gRPC and asyncio.
    """
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)


if __name__ == "__main__":
    sys.exit(main())
