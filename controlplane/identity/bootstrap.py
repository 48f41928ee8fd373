"""The first credentials of a fleet, as files for whoever sets it up: ca.pem, admin.token, and a join token for each part that is named.

What is there and still of use is left alone, so that it can be done again.
"""

import asyncio
import secrets
from collections.abc import Sequence
from pathlib import Path

from controlplane.identity import ca
from controlplane.identity.api_tokens import ApiTokens
from controlplane.identity.directory import Directory
from controlplane.identity.joining import Joining
from controlplane.identity.principal import ApiCaller, ApiRole
from nearhop import log, private, tls
from nearhop.spiffe import Part

ADMIN_FILE = "admin.token"
JOIN_SUFFIX = ".join"

_log = log.get(__name__)


async def write(
    folder: Path,
    authority: ca.Authority,
    api_tokens: ApiTokens,
    joining: Joining,
    directory: Directory,
    *,
    parts: Sequence[Part] = (),
) -> None:
    """Write the files to *folder*, readable by their owner alone. Raises StoreError, OSError."""
    admin = folder / ADMIN_FILE
    await asyncio.to_thread(private.write, folder / tls.AUTHORITIES_FILE, authority.pem)
    if not await _is_admin(directory, admin):
        _, secret = await api_tokens.create(secrets.token_hex(16), "bootstrap", ApiRole.ADMIN)
        await asyncio.to_thread(private.write, admin, secret.encode() + b"\n")
        _log.info("the first admin token was written", path=str(admin))
    for part in await joining.absent(parts):
        _, secret = await joining.create_token(secrets.token_hex(16), part)
        await asyncio.to_thread(private.write, folder / f"{part.id}{JOIN_SUFFIX}", secret.encode() + b"\n")


async def _is_admin(directory: Directory, path: Path) -> bool:
    try:
        text = await asyncio.to_thread(path.read_text, encoding="ascii")
        caller = await directory.authenticate(text.strip())
    except (FileNotFoundError, ValueError):
        return False
    return isinstance(caller, ApiCaller) and caller.role is ApiRole.ADMIN
