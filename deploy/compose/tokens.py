"""python -m deploy.compose.tokens: a join token, in the volume of each part of the compose fleet that has no certificate which holds."""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from controlplane.client import rpc
from controlplane.client.failure import Failure
from controlplane.client.target import Target
from deploy.joining import Newcomer, let_in
from nearhop import private, spiffe, tls
from nearhop.errors import NearhopError
from nearhop.spiffe import Part

ADMIN_FILE = "admin.token"
JOIN_FILE = "join.token"
_PATIENCE_S = 180.0
_RETRY_S = 0.5


def main() -> int:
    arguments = _parser().parse_args()
    try:
        parts = [spiffe.parse_path(text) for text in arguments.part]
        asyncio.run(write(arguments.volumes, arguments.bootstrap, arguments.control_plane, parts))
        for reader in arguments.reader:
            private.write(
                arguments.volumes / reader / tls.AUTHORITIES_FILE,
                (arguments.bootstrap / tls.AUTHORITIES_FILE).read_bytes(),
            )
    except (NearhopError, OSError) as error:
        print(f"tokens: {error}", file=sys.stderr)
        return 1
    return 0


async def write(volumes: Path, bootstrap: Path, control_planes: Sequence[str], parts: Sequence[Part]) -> None:
    """Write the tokens to *volumes*/ID/join.token. Raises Failure when no control plane serves in time.

    *bootstrap* is the folder where a control plane leaves the authority's certificate and the first admin token.
    """
    newcomers = [Newcomer(part, volumes / part.id / "identity", volumes / part.id / JOIN_FILE) for part in parts]
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        for endpoint in control_planes:
            try:
                authorities = bootstrap / tls.AUTHORITIES_FILE
                trusted = authorities.read_bytes()
                target = Target(endpoint, authorities, (bootstrap / ADMIN_FILE).read_text(encoding="ascii").strip())
                async with rpc.connect(target) as connection:
                    return await let_in(connection, trusted, newcomers)
            except (Failure, FileNotFoundError) as error:
                if time.monotonic() > deadline:
                    raise Failure(f"no join tokens: {error}") from error
        await asyncio.sleep(_RETRY_S)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.compose.tokens", description=__doc__)
    parser.add_argument("--volumes", type=Path, required=True, help="a folder with the volume of each part, by its id")
    parser.add_argument("--bootstrap", type=Path, required=True, help="where ca.pem and admin.token are")
    parser.add_argument("--control-plane", action="append", required=True, metavar="HOST:PORT")
    parser.add_argument(
        "--reader",
        action="append",
        default=[],
        metavar="VOLUME",
        help="also gets the authority's certificate, and no token",
    )
    parser.add_argument("part", nargs="+", help="node/REGION/ID or router/ID")
    return parser


if __name__ == "__main__":
    sys.exit(main())
