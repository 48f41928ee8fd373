"""The node agent's process: python -m node --config FILE."""

import argparse
import asyncio
import sys
from pathlib import Path

from nearhop import log
from nearhop.errors import NearhopError
from node import config
from node.agent.run import run

START_FAILED = 3  # a supervisor must not start it again with the same configuration


def main() -> int:
    """Run the node; 0 after a stop that was asked for, 3 when it cannot start as configured."""
    parser = argparse.ArgumentParser(prog="python -m node", description="Run a Nearhop node.")
    parser.add_argument("--config", type=Path, required=True, help="TOML file")
    path = parser.parse_args().config
    try:
        settings = config.load(path)
    except (NearhopError, OSError) as error:
        print(f"node: {path}: {error}", file=sys.stderr)
        return START_FAILED
    log.configure(f"node {settings.id}", level=settings.log_level, form=settings.log_format)
    try:
        asyncio.run(run(settings))
    except (NearhopError, OSError) as error:
        print(f"node {settings.id}: {error}", file=sys.stderr)
        return START_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
