"""`nearhop status`."""

import asyncio
from typing import Any

from controlplane.cli import endpoint, options
from controlplane.client import show


def status(as_json: options.Json = False, at: options.Endpoint = None, state_dir: options.StateDir = None) -> None:
    """Show the control plane, the routers, the nodes and the functions.

    Works on any cluster through its API; of the cluster on this machine it also tells where its state and logs are.
    """
    from controlplane.cli.status import gather, print_status  # noqa: PLC0415
    from controlplane.client import rpc  # noqa: PLC0415  # keeps --help quick

    target = endpoint.resolve(at, state_dir)

    async def work() -> dict[str, Any]:
        async with rpc.connect(target) as connection:
            return await gather(connection)

    value = asyncio.run(work())
    local = endpoint.local(target, state_dir)
    value["local"] = local
    if local is not None:
        value["dashboard"] = local["dashboard"]
    if as_json:
        show.emit(value)
        return
    print_status(value)
    if local is not None:
        show.say(f"dashboard      {local['dashboard']}")
        show.say(f"local cluster  pid {local['pid']}, state in {local['state_dir']}, logs in {local['logs']}")
