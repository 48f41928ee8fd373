"""Calls to several control planes: the next one when one is away, and errors with their details."""

import socket

import pytest

from controlplane.dashboard.control import Caller, ControlError, ControlPlanes
from nearhop.v1 import deployments_pb2, nodes_pb2
from tests.controlplane.dashboard.fake import FakeControlPlane


def nobody() -> str:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return f"127.0.0.1:{unused.getsockname()[1]}"


async def list_nodes(control: ControlPlanes, token: str | None = None) -> nodes_pb2.ListNodesResponse:
    return await control.call(
        Caller(token), lambda api, who, limit: api.nodes.ListNodes(nodes_pb2.ListNodesRequest(), metadata=who, timeout=limit)
    )


async def test_an_unavailable_endpoint_is_skipped_and_then_left_alone(fake: FakeControlPlane) -> None:
    control = ControlPlanes([nobody(), fake.address], timeout_s=5)
    try:
        assert len((await list_nodes(control)).nodes) == 5
        assert control.endpoint == fake.address
    finally:
        await control.close()


async def test_none_available_is_unavailable() -> None:
    control = ControlPlanes([nobody(), nobody()], timeout_s=5)
    try:
        with pytest.raises(ControlError) as caught:
            await list_nodes(control)
        assert caught.value.code == "UNAVAILABLE"
    finally:
        await control.close()


async def test_a_refusal_is_not_tried_elsewhere(fake: FakeControlPlane) -> None:
    fake.tokens = {}
    control = ControlPlanes([fake.address, fake.address], timeout_s=5)
    try:
        with pytest.raises(ControlError) as caught:
            await list_nodes(control, "wrong")
        assert caught.value.code == "UNAUTHENTICATED"
        assert fake.calls.count("ListNodes") == 1
    finally:
        await control.close()


async def test_field_violations_are_carried(fake: FakeControlPlane) -> None:
    control = ControlPlanes([fake.address], timeout_s=5)
    request = deployments_pb2.RollbackRequest(request_id="r", function="hello", to_version=99)
    try:
        with pytest.raises(ControlError) as caught:
            async for _ in control.stream(Caller(), lambda api, who: api.deployments.Rollback(request, metadata=who)):
                pass
        assert [item.field for item in caught.value.violations] == ["to_version"]
    finally:
        await control.close()
