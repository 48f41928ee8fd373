"""The health check against real little servers: what it calls healthy, and what it says otherwise."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from deploy.images import healthcheck
from tests.harness.cluster import Cluster


@pytest_asyncio.fixture
async def ingress() -> AsyncIterator[str]:
    async def health(_request: web.Request) -> web.Response:
        return web.Response(headers={"x-nearhop-node": "tokyo-1"})

    application = web.Application()
    application.router.add_get("/.nearhop/health", health)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    yield f"{host}:{port}"
    await runner.cleanup()


async def ask(role: str, **config: Any) -> str:
    return await asyncio.to_thread(healthcheck.ask, role, config)


async def test_a_node_is_healthy_when_its_ingress_gives_its_name(ingress: str) -> None:
    assert await ask("node", id="tokyo-1", listen=[ingress]) == ""


async def test_a_node_is_not_healthy_when_another_answers_in_its_place(ingress: str) -> None:
    assert "tokyo-1" in await ask("node", id="tokyo-2", listen=[ingress])


async def test_a_router_or_a_dashboard_is_not_healthy_without_a_good_healthz(ingress: str) -> None:
    assert "404" in await ask("router", http_listen=ingress)
    assert "404" in await ask("dashboard", listen=ingress)


async def test_a_control_plane_needs_an_authority_to_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEARHOP_CA", raising=False)
    assert "NEARHOP_CA" in await ask("controlplane", listen="127.0.0.1:9")


@pytest.mark.acceptance
async def test_a_control_plane_is_healthy_while_it_serves(
    shared_cluster: Cluster, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    monkeypatch.setenv("NEARHOP_CA", str(shared_cluster.control_plane.ca))
    assert await ask("controlplane", listen=shared_cluster.endpoint) == ""
    assert "UNAVAILABLE" in await ask("controlplane", listen=f"127.0.0.1:{unused_tcp_port}")


async def test_a_node_that_does_not_answer_raises(unused_tcp_port: int) -> None:
    with pytest.raises(ConnectionRefusedError):
        await ask("node", id="tokyo-1", listen=[f"127.0.0.1:{unused_tcp_port}"])


async def test_an_unknown_role_is_said() -> None:
    assert "cook" in await ask("cook")


def test_an_address_to_listen_on_becomes_one_to_connect_to() -> None:
    assert healthcheck.reachable("0.0.0.0:7400") == "127.0.0.1:7400"
    assert healthcheck.reachable("[::]:7400") == "[::1]:7400"
    assert healthcheck.reachable("192.0.2.1:7400") == "192.0.2.1:7400"
