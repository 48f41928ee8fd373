"""python -m controlplane --config FILE"""

import argparse
import asyncio
import sys
from pathlib import Path

from controlplane.config import Config
from controlplane.server import serve
from nearhop import config, log
from nearhop.errors import NearhopError

_START_FAILED = 3  # what a supervisor must not retry blindly


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m controlplane", description="Run Nearhop's control plane.")
    parser.add_argument("--config", type=Path, required=True, help="a TOML file; see controlplane/config.py")
    arguments = parser.parse_args()
    try:
        settings = config.load(arguments.config, Config)
        log.configure("controlplane", level=settings.log_level, form=settings.log_format)
        asyncio.run(serve(settings))
    except (NearhopError, OSError) as error:
        print(f"controlplane: {error}", file=sys.stderr)
        return _START_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
