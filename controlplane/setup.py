"""python -m controlplane.setup: what a new fleet needs before its parts can speak to each other.

    keys FOLDER --etcd-name NAME…              before etcd starts: the key-encryption key, and certificates for etcd and for its clients
    tokens FOLDER --config FILE --part NAME…   with etcd running: ca.pem, admin.token, and <id>.join for each part, such as node/tokyo/tokyo-1

Both leave alone what is there and still of use; keys --renew replaces etcd's certificates, which hold for a year.
"""

import argparse
import asyncio
import sys
from pathlib import Path

from controlplane import access
from controlplane.config import Config
from controlplane.identity import bootstrap, etcd_tls, seal
from nearhop import config, log, spiffe
from nearhop.errors import NearhopError
from nearhop.spiffe import Part

KEY_FILE = "key-encryption.key"
_STORE_WITHIN_S = 120.0


def main() -> int:
    """Run one of the two steps; 0 when its files are there, 1 when they could not be made."""
    arguments = _parser().parse_args()
    log.configure("setup")
    try:
        if arguments.step == "keys":
            keys(arguments.folder, arguments.etcd_name, renew=arguments.renew)
        else:
            parts = [spiffe.parse_path(text) for text in arguments.part]
            asyncio.run(tokens(arguments.folder, config.load(arguments.config, Config), parts))
    except TimeoutError:
        sys.stderr.write(f"setup: the store did not answer within {_STORE_WITHIN_S:g} s\n")
        return 1
    except (NearhopError, OSError) as error:
        sys.stderr.write(f"setup: {error}\n")
        return 1
    return 0


def keys(folder: Path, etcd_names: list[str], *, renew: bool = False) -> None:
    """Write the keys that are missing, and with *renew* a new set of etcd's certificates in any case. Raises OSError."""
    if not (folder / KEY_FILE).exists():
        seal.write_key(folder / KEY_FILE)
    if renew or not (folder / etcd_tls.AUTHORITY).exists():
        etcd_tls.write(folder, etcd_names)


async def tokens(folder: Path, settings: Config, parts: list[Part]) -> None:
    """Write the authority's certificate, an administrator's token and the join tokens. Raises TimeoutError without a store, NearhopError."""
    store = access.store(settings)
    try:
        async with asyncio.timeout(_STORE_WITHIN_S):
            opened = await access.opened(store, settings, None)
        if opened is not None:
            await bootstrap.write(
                folder, opened.authority, opened.api_tokens, opened.joining, opened.directory, parts=parts
            )
    finally:
        await store.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m controlplane.setup", description="Prepare a new fleet.")
    steps = parser.add_subparsers(dest="step", required=True)
    first = steps.add_parser("keys", help="before etcd starts")
    first.add_argument("folder", type=Path)
    first.add_argument("--etcd-name", action="append", required=True, help="a host or address of an etcd member")
    first.add_argument(
        "--renew", action="store_true", help="a new set for etcd, in place of one that is about to expire"
    )
    second = steps.add_parser("tokens", help="with etcd running")
    second.add_argument("folder", type=Path)
    second.add_argument("--config", type=Path, required=True, help="a control plane's TOML file")
    second.add_argument(
        "--part", action="append", default=[], help="node/REGION/ID or router/ID: one to make a join token for"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
