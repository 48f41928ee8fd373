"""Two routers' processes on one control plane: what they tell each other must not keep a dead node in the answers."""

import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from controlplane.server import ControlPlane
from nearhop.v1 import common_pb2
from tests.controlplane.api.clients import Agent, Client
from tests.harness.eventually import eventually
from tests.harness.outage import PORT, Ingress, OutageRouter

pytestmark = pytest.mark.acceptance


async def nodes_of(router: OutageRouter) -> dict[str, dict[str, Any]]:
    async with httpx.AsyncClient(trust_env=False) as http:
        return dict((await http.get(f"{router.http}/healthz", timeout=5)).json()["nodes"])


async def test_a_node_that_nobody_reaches_is_out_of_both_routers_answers_in_time(
    plane: ControlPlane, client: Client, tmp_path: Path
) -> None:
    ingresses = [Ingress(f"n{number}", f"127.96.{number}.7", tmp_path) for number in (1, 2, 3)]
    routers = []
    async with AsyncExitStack() as stack:
        for ingress in ingresses:
            await ingress.start()
            stack.push_async_callback(ingress.kill)
            reached = common_pb2.Ingress(ipv4=[ingress.address], port=PORT)
            await stack.enter_async_context(Agent(client.address, ingress.node, ingress=reached))
        for number in (1, 2):
            folder = tmp_path / f"r{number}"
            folder.mkdir()
            (folder / "places.toml").write_text("")
            router = OutageRouter(
                f"127.96.0.{number + 1}", folder, name=f"r{number}", control_plane=client.address, zone="example.org"
            )
            routers.append(await stack.enter_async_context(router))

        async def seen(verdict: str, *, by: list[OutageRouter]) -> bool:
            found = [await nodes_of(router) for router in by]
            return all(nodes.get("n1", {}).get("verdict") == verdict and len(nodes) == 3 for nodes in found)

        await eventually(lambda: seen("up", by=routers), within=20)
        begin = time.monotonic()
        ingresses[0].pause()
        await eventually(lambda: seen("down", by=routers), within=10)
        taken = time.monotonic() - begin
        ingresses[0].resume()
        assert taken < 3.0, taken  # 2 s is the promise; this machine is shared
        await eventually(lambda: seen("up", by=routers), within=20)

        # A router that has just started believes the other before it has probed enough to know.
        await ingresses[0].kill()
        await eventually(lambda: seen("down", by=routers), within=10)
        await routers[1].stop()
        await routers[1].start()
        await eventually(lambda: seen("down", by=routers), within=5)
