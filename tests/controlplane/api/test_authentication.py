"""Who gets through to the methods, and with which words the others are turned away."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from controlplane.store.client import Store
from nearhop import enroll, tls
from nearhop.spiffe import Part, Role
from nearhop.v1 import (
    functions_pb2,
    functions_pb2_grpc,
    identity_pb2,
    identity_pb2_grpc,
    nodes_pb2,
    nodes_pb2_grpc,
    router_control_pb2,
    router_control_pb2_grpc,
    versions_pb2,
    versions_pb2_grpc,
)
from tests.controlplane.api.secured import Secured, secured
from tests.harness.etcd import Etcd
from tests.harness.eventually import eventually

ROUTER = Part(Role.ROUTER, "r1")
LIST = nodes_pb2.ListNodesRequest()


@pytest_asyncio.fixture
async def running(store: Store, shared_etcd: Etcd, tmp_path: Path) -> AsyncIterator[Secured]:
    async with secured(shared_etcd.endpoint, tmp_path) as running:
        yield running


async def refusal(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), caught.value.details() or ""


async def to_its_end(call: Any) -> None:
    """Read a router's stream, which has signals on it every second."""
    while await call.read() is not grpc.aio.EOF:
        pass


def nodes(channel: grpc.aio.Channel) -> "nodes_pb2_grpc.NodesAsyncStub":
    return nodes_pb2_grpc.NodesStub(channel)


async def test_the_first_token_is_an_administrators(running: Secured) -> None:
    me = await identity_pb2_grpc.IdentityStub(running.person(running.admin)).WhoAmI(identity_pb2.WhoAmIRequest())
    assert (me.name, me.role) == ("bootstrap", identity_pb2.API_ROLE_ADMIN)


async def test_a_part_is_told_by_its_certificate(running: Secured) -> None:
    channel = running.part(running.certified(ROUTER))
    me = await identity_pb2_grpc.IdentityStub(channel).WhoAmI(identity_pb2.WhoAmIRequest())
    assert (me.name, me.role) == ("spiffe://example.org/router/r1", identity_pb2.API_ROLE_UNSPECIFIED)


async def test_a_token_means_nothing_beside_a_certificate(running: Secured) -> None:
    metadata = (("authorization", f"Bearer {running.admin}"),)
    call = nodes(running.part(running.certified(ROUTER))).ListNodes(LIST, metadata=metadata)
    assert await refusal(call) == (
        grpc.StatusCode.PERMISSION_DENIED,
        "router r1 may not call /nearhop.v1.Nodes/ListNodes",
    )


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([], "the call carries no API token and no certificate"),
        (["Basic YTpi"], 'the metadata "authorization" is not "Bearer <API token>"'),
        (["Bearer "], "this is no API token"),
        (["Bearer nhp_x"], "this is no API token"),
        (["Bearer " + "x" * 4000], "this is no API token"),
        (["Bearer nhp_" + "0" * 16 + "_" + "0" * 64], "the API token is unknown: never made, or revoked"),
        (["Bearer a", "Bearer b"], 'the metadata "authorization" is not "Bearer <API token>"'),
    ],
)
async def test_other_credentials_are_nobodys(running: Secured, values: list[str], reason: str) -> None:
    metadata = tuple(("authorization", value) for value in values)
    call = nodes(running.person("")).ListNodes(LIST, metadata=metadata)
    assert await refusal(call) == (grpc.StatusCode.UNAUTHENTICATED, reason)
    assert running.plane.interceptor.refused["/nearhop.v1.Nodes/ListNodes", "UNAUTHENTICATED", "UNAUTHENTICATED"] == 1


async def test_health_is_public_and_reflection_is_not(running: Secured) -> None:
    stranger = running.person("")

    async def serving() -> bool:
        answer = await health_pb2_grpc.HealthStub(stranger).Check(health_pb2.HealthCheckRequest())
        return answer.status == health_pb2.HealthCheckResponse.SERVING

    await eventually(serving, within=5)
    question = reflection_pb2.ServerReflectionRequest(list_services="")

    def ask(channel: grpc.aio.Channel) -> Any:
        return reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([question])).read()

    assert (await refusal(ask(stranger)))[0] is grpc.StatusCode.UNAUTHENTICATED
    listed = await ask(running.person(running.admin))
    assert "nearhop.v1.Tokens" in [service.name for service in listed.list_services_response.service]
    assert (await refusal(health_pb2_grpc.HealthStub(stranger).Watch(health_pb2.HealthCheckRequest()).read()))[0] is (
        grpc.StatusCode.UNAUTHENTICATED
    )


async def test_an_unknown_method_stays_unknown(running: Secured) -> None:
    call = running.person(running.admin).unary_unary("/nearhop.v1.Nodes/Invented")(b"")
    assert (await refusal(call))[0] is grpc.StatusCode.UNIMPLEMENTED


async def test_streamed_requests_reach_the_method(running: Secured) -> None:
    async def parts() -> AsyncIterator[versions_pb2.UploadBundleRequest]:
        yield versions_pb2.UploadBundleRequest(header={"digest": "0" * 64, "size_bytes": 3})
        yield versions_pb2.UploadBundleRequest(chunk=b"abc")

    stub = versions_pb2_grpc.VersionsStub(running.person(running.admin))
    code, reason = await refusal(stub.UploadBundle(parts()))
    assert (code, "digest" in reason) == (grpc.StatusCode.INVALID_ARGUMENT, True)
    stub = versions_pb2_grpc.VersionsStub(running.person(""))
    assert (await refusal(stub.UploadBundle(parts())))[0] is grpc.StatusCode.UNAUTHENTICATED


async def test_a_router_that_speaks_for_another_later_on_is_cut(running: Secured) -> None:
    stub = router_control_pb2_grpc.RouterControlStub(running.part(running.certified(ROUTER)))
    call = stub.Sync()
    await call.write(router_control_pb2.RouterMessage(hello={"router": "r1", "dns": "d", "http": "h"}))
    await call.read()
    foreign = nodes_pb2.Witness(router="r2", node="tokyo-1")
    await call.write(router_control_pb2.RouterMessage(report={"verdicts": [foreign]}))
    code, reason = await refusal(to_its_end(call))
    assert (code, "report.verdicts.router is 'r2'" in reason) == (grpc.StatusCode.PERMISSION_DENIED, True)


async def test_an_open_stream_ends_with_its_identity(running: Secured) -> None:
    await running.access.joining.join((await running.access.joining.create_token("t", ROUTER))[1], ROUTER, _csr())
    call = router_control_pb2_grpc.RouterControlStub(running.part(running.certified(ROUTER))).Sync()
    await call.write(router_control_pb2.RouterMessage(hello={"router": "r1", "dns": "d", "http": "h"}))
    await call.read()
    reading = asyncio.ensure_future(refusal(to_its_end(call)))  # noqa: TID251  # a test's own
    await running.access.joining.revoke(ROUTER, "stolen")
    async with asyncio.timeout(10):
        assert await reading == (grpc.StatusCode.UNAUTHENTICATED, "the certificate of router r1 was revoked: stolen")
    assert running.access.streams.cut == 1


async def test_an_open_stream_ends_with_its_certificate(running: Secured) -> None:
    call = router_control_pb2_grpc.RouterControlStub(running.part(running.certified(ROUTER, life_s=3))).Sync()
    await call.write(router_control_pb2.RouterMessage(hello={"router": "r1", "dns": "d", "http": "h"}))
    await call.read()
    async with asyncio.timeout(10):
        assert await refusal(to_its_end(call)) == (
            grpc.StatusCode.UNAUTHENTICATED,
            "the certificate of router r1 has expired",
        )


async def test_a_certificate_of_another_trust_domain_is_nobodys(running: Secured) -> None:
    access = running.access
    foreign = type(access.authority)(access.authority.key, access.authority.certificate, "other.example.org")
    own, access.authority = access.authority, foreign
    try:
        channel = running.part(running.certified(ROUTER))
    finally:
        access.authority = own
    code, reason = await refusal(nodes(channel).ListNodes(LIST))
    assert (code, "names no part of this fleet" in reason) == (grpc.StatusCode.UNAUTHENTICATED, True)


async def test_older_tls_is_told_so(running: Secured) -> None:
    def ask() -> bytes:
        context = ssl.create_default_context(cadata=running.ca.decode())
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["h2"])
        host, port = running.api.split(":")
        with (
            socket.create_connection((host, int(port)), timeout=5) as raw,
            context.wrap_socket(raw, server_hostname=tls.CONTROL_PLANE_NAME) as secure,
        ):
            secure.sendall(_REQUEST)
            answer = b""
            while b"TLS 1.3 is needed" not in answer and (more := secure.recv(4096)):
                answer += more
            return answer

    assert b"TLS 1.3 is needed" in await asyncio.to_thread(ask)


async def test_a_large_message_is_refused(running: Secured) -> None:
    stub = functions_pb2_grpc.FunctionsStub(running.person(running.admin))
    request = functions_pb2.CreateFunctionRequest(request_id="x" * (5 << 20), name="big")
    assert (await refusal(stub.CreateFunction(request)))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_garbage_is_refused(running: Secured) -> None:
    create = running.person(running.admin).unary_unary("/nearhop.v1.Functions/CreateFunction")
    code, reason = await refusal(create(b"\x0a\xff\xff\xff\xff\x0f"))
    assert (code, "message: cannot be read" in reason) == (grpc.StatusCode.INVALID_ARGUMENT, True)
    sync = running.part(running.certified(ROUTER)).stream_stream("/nearhop.v1.RouterControl/Sync")()
    await sync.write(b"\x0a\x7f")
    code, reason = await refusal(sync.read())
    assert (code, "message: cannot be read" in reason) == (grpc.StatusCode.INVALID_ARGUMENT, True)
    stranger = running.person("").unary_unary("/nearhop.v1.Functions/CreateFunction")
    assert (await refusal(stranger(b"\xff")))[0] is grpc.StatusCode.UNAUTHENTICATED
    answer = await functions_pb2_grpc.FunctionsStub(running.person(running.admin)).ListFunctions(
        functions_pb2.ListFunctionsRequest()
    )
    assert list(answer.functions) == []


async def test_a_second_control_plane_knows_the_first_ones_tokens(
    running: Secured, shared_etcd: Etcd, tmp_path: Path
) -> None:
    async with secured(shared_etcd.endpoint, tmp_path) as second:
        assert second.ca == running.ca
        made = await identity_pb2_grpc.TokensStub(running.person(running.admin)).CreateApiToken(
            identity_pb2.CreateApiTokenRequest(request_id="t", name="ci", role=identity_pb2.API_ROLE_VIEWER)
        )
        await nodes(second.person(made.secret)).ListNodes(LIST)
        revoke = identity_pb2.RevokeApiTokenRequest(request_id="r", id=made.token.id)
        await identity_pb2_grpc.TokensStub(running.person(running.admin)).RevokeApiToken(revoke)

        async def refused() -> bool:
            try:
                await nodes(second.person(made.secret)).ListNodes(LIST)
            except grpc.aio.AioRpcError as error:
                return error.code() is grpc.StatusCode.UNAUTHENTICATED
            return False

        async def no_longer() -> bool:
            assert await refused()
            return True

        await eventually(no_longer, within=10)


def _csr() -> bytes:
    return enroll.signing_request(ec.generate_private_key(ec.SECP256R1()), ROUTER)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _literal(name: bytes, value: bytes) -> bytes:
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


_HEADERS = b"".join(
    _literal(name, value)
    for name, value in (
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":path", b"/nearhop.v1.Nodes/ListNodes"),
        (b":authority", b"x"),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
    )
)
# One call by hand: preface, settings, headers, an empty message (RFC 9113 sections 3.4 and 6, gRPC over HTTP/2).
_REQUEST = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, 0, b"") + _frame(1, 4, 1, _HEADERS) + _frame(0, 1, 1, bytes(5))
)
