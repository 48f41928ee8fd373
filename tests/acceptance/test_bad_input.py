"""What is wrong is refused with its reason, counted, and changes nothing; who reads slowly gets the newest state and holds nobody up."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from controlplane.identity import ca
from nearhop import enroll, tls
from nearhop.spiffe import Part, Role
from nearhop.v1 import (
    functions_pb2,
    functions_pb2_grpc,
    identity_pb2,
    identity_pb2_grpc,
    node_control_pb2,
    node_control_pb2_grpc,
    nodes_pb2,
    nodes_pb2_grpc,
    versions_pb2,
    versions_pb2_grpc,
)
from tests.harness.cluster import Cluster
from tests.harness.eventually import eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

SOURCE = 'export default { fetch: () => new Response("hello") };'
CREATE = "/nearhop.v1.Functions/CreateFunction"
SYNC = "/nearhop.v1.NodeControl/Sync"


async def figures(cluster: Cluster) -> dict[str, float]:
    """Return what the control plane tells a monitor, by sample."""
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"http://{cluster.control_plane.metrics}/metrics", timeout=5)).text
    pairs = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {sample: float(value) for sample, value in pairs}


def refused(method: str, code: str, reason: str) -> str:
    return f'nearhop_calls_refused_total{{method="{method}",code="{code}",reason="{reason}"}}'


@asynccontextmanager
async def counted(cluster: Cluster, *samples: str) -> AsyncIterator[None]:
    """Require that each of *samples* grows in the block, by one at least."""
    before = await figures(cluster)
    yield

    async def grown() -> bool:
        now = await figures(cluster)
        assert all(now.get(sample, 0) > before.get(sample, 0) for sample in samples), {s: now.get(s) for s in samples}
        return True

    await eventually(grown, within=5)


async def failure(call: Any) -> tuple[grpc.StatusCode, str, set[str]]:
    """Return the status, the sentence and the named fields with which *call* is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    error = caught.value
    fields = set()
    for key, value in error.trailing_metadata():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                bad = error_details_pb2.BadRequest()
                if detail.Unpack(bad):
                    fields |= {violation.field for violation in bad.field_violations}
    return error.code(), error.details() or "", fields


async def names(cluster: Cluster) -> set[str]:
    async with cluster.channel() as channel:
        listed = await functions_pb2_grpc.FunctionsStub(channel).ListFunctions(functions_pb2.ListFunctionsRequest())
    return {function.name for function in listed.functions}


class TestMessages:
    async def test_five_mebibytes_are_refused_with_their_size_and_counted(self, shared_cluster: Cluster) -> None:
        before = await names(shared_cluster)
        request = functions_pb2.CreateFunctionRequest(request_id=uuid.uuid4().hex, name="a" * (5 << 20))
        async with (
            counted(shared_cluster, refused(CREATE, "RESOURCE_EXHAUSTED", "MESSAGE_TOO_LARGE")),
            shared_cluster.channel() as channel,
        ):
            code, reason, _ = await failure(functions_pb2_grpc.FunctionsStub(channel).CreateFunction(request))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "5,242," in reason
        assert "4,194,304 are the most" in reason
        assert await names(shared_cluster) == before

    @pytest.mark.parametrize("raw", [b"\x0a\x7fabc", b"\x0a\xff\xff\xff\xff\x0f", b"\x0b\x0b", b"\x0a\x02\xff\xfe"])
    async def test_a_cut_off_or_broken_message_is_refused_and_counted(
        self, shared_cluster: Cluster, raw: bytes
    ) -> None:
        async with (
            counted(shared_cluster, refused(CREATE, "INVALID_ARGUMENT", "INVALID_INPUT")),
            shared_cluster.channel() as channel,
        ):
            code, reason, fields = await failure(channel.unary_unary(CREATE)(raw))
        assert (code, fields) == (grpc.StatusCode.INVALID_ARGUMENT, {"message"})
        assert "cannot be read" in reason

    async def test_an_unknown_enum_value_is_refused_by_its_fields_name(self, shared_cluster: Cluster) -> None:
        assert (await shared_cluster.deploy_source("enums", SOURCE)).status == 0
        version = versions_pb2.CreateVersionRequest(
            request_id=uuid.uuid4().hex, function="enums", digest="0" * 64, dialect=99, entrypoint="x.js"
        )
        role = identity_pb2.CreateApiTokenRequest(request_id=uuid.uuid4().hex, name="x", role=99)
        part = identity_pb2.CreateJoinTokenRequest(request_id=uuid.uuid4().hex, part={"role": 99, "id": "x"})
        async with shared_cluster.channel() as channel:
            tokens = identity_pb2_grpc.TokensStub(channel)
            for call, field in (
                (versions_pb2_grpc.VersionsStub(channel).CreateVersion(version), "dialect"),
                (tokens.CreateApiToken(role), "role"),
                (tokens.CreateJoinToken(part), "part.role"),
            ):
                code, reason, fields = await failure(call)
                assert (code, field in fields) == (grpc.StatusCode.INVALID_ARGUMENT, True), (reason, fields)
            listed = await versions_pb2_grpc.VersionsStub(channel).ListVersions(
                versions_pb2.ListVersionsRequest(function="enums")
            )
        assert [version.number for version in listed.versions] == [1]

    @pytest.mark.parametrize("name", ["../etc", "a/../b", "a\x00b", "a\x1b[31m", "\u0430dmin", "a--b", "A", ""])
    async def test_odd_names_are_refused_and_counted(self, shared_cluster: Cluster, name: str) -> None:
        before = await names(shared_cluster)
        request = functions_pb2.CreateFunctionRequest(request_id=uuid.uuid4().hex, name=name)
        async with (
            counted(shared_cluster, refused(CREATE, "INVALID_ARGUMENT", "INVALID_INPUT")),
            shared_cluster.channel() as channel,
        ):
            code, reason, fields = await failure(functions_pb2_grpc.FunctionsStub(channel).CreateFunction(request))
        assert (code, fields) == (grpc.StatusCode.INVALID_ARGUMENT, {"name"})
        assert not any(character in reason for character in "\x00\x1b")
        assert await names(shared_cluster) == before


class TestCounts:
    """Every kind of refused caller is counted."""

    async def test_callers_without_rights(self, shared_cluster: Cluster) -> None:
        viewer = (await shared_cluster.api_token(identity_pb2.API_ROLE_VIEWER)).secret
        drain = nodes_pb2.DrainNodeRequest(request_id=uuid.uuid4().hex, id="tokyo-1")
        method = "/nearhop.v1.Nodes/DrainNode"
        for token, code, reason in (
            (viewer, "PERMISSION_DENIED", "NOT_ALLOWED"),
            ("nhp_invented", "UNAUTHENTICATED", "UNAUTHENTICATED"),
            ("", "UNAUTHENTICATED", "UNAUTHENTICATED"),
        ):
            async with (
                counted(shared_cluster, refused(method, code, reason)),
                shared_cluster.channel_as(token) as channel,
            ):
                assert (await failure(nodes_pb2_grpc.NodesStub(channel).DrainNode(drain)))[0].name == code

    async def test_a_part_that_speaks_for_another(self, shared_cluster: Cluster) -> None:
        own = tls.load(shared_cluster.folder / "tokyo-1" / "identity", datetime.now(UTC))
        hello = node_control_pb2.NodeMessage(hello={"node": "london-1", "region": "london", "instance": "thief"})
        async with (
            counted(shared_cluster, refused(SYNC, "PERMISSION_DENIED", "NOT_ALLOWED")),
            _fleet(shared_cluster, own) as channel,
        ):
            stub = node_control_pb2_grpc.NodeControlStub(channel)
            assert (await failure(stub.Sync(iter([hello])).read()))[0] is grpc.StatusCode.PERMISSION_DENIED

    async def test_a_join_token_that_does_not_count(self, shared_cluster: Cluster, tmp_path: Path) -> None:
        part = Part(Role.NODE, "kobe-1", "kobe")
        token = await shared_cluster.join_token(part)
        await enroll.join(tmp_path / "first", part, token=token, endpoints=[shared_cluster.endpoint])
        join = refused("/nearhop.v1.Identity/Join", "PERMISSION_DENIED", "JOIN_REFUSED")
        async with counted(shared_cluster, join):
            with pytest.raises(enroll.EnrollError, match="was used already"):
                await enroll.join(tmp_path / "again", part, token=token, endpoints=[shared_cluster.endpoint])

    async def test_what_tls_refuses_shows_as_connections_that_never_call(self, shared_cluster: Cluster) -> None:
        begun, calling = (f'nearhop_connections_{kind}_total{{listener="fleet"}}' for kind in ("begun", "calling"))
        before = await figures(shared_cluster)
        for credentials in (None, _forged(shared_cluster)):
            async with counted(shared_cluster, begun), _fleet(shared_cluster, credentials) as channel:
                call = node_control_pb2_grpc.NodeControlStub(channel).Sync()
                code, _, _ = await failure(call.read())
                assert code is grpc.StatusCode.UNAVAILABLE
        now = await figures(shared_cluster)
        assert now[begun] - before[begun] >= 2
        assert now[calling] == before[calling]


async def test_a_node_that_reads_slowly_gets_the_newest_and_holds_nobody_up(
    shared_cluster: Cluster, tmp_path: Path
) -> None:
    part, changes = Part(Role.NODE, "nara-1", "nara"), 800
    own = await enroll.join(
        tmp_path / "nara",
        part,
        token=await shared_cluster.join_token(part),
        endpoints=[shared_cluster.endpoint],
    )
    hello = node_control_pb2.Hello(
        node=part.id, region=part.region, location={"latitude": 34.7, "longitude": 135.8}, instance="slow",
        ingress={"ipv4": ["192.0.2.9"], "port": 80},
    )  # fmt: skip
    small = (("grpc.http2.lookahead_bytes", 1024), ("grpc.http2.bdp_probe", 0))
    async with _fleet(shared_cluster, own, *small) as slow, shared_cluster.channel() as channel:
        nodes = nodes_pb2_grpc.NodesStub(channel)
        call = node_control_pb2_grpc.NodeControlStub(slow).Sync()
        await call.write(node_control_pb2.NodeMessage(hello=hello))
        assert (await call.read()).HasField("welcome")
        try:
            worst = 0.0
            for number in range(changes):
                begin = time.monotonic()
                request: Callable[..., Any] = nodes.DrainNode if number % 2 else nodes.UncordonNode
                kind = nodes_pb2.DrainNodeRequest if number % 2 else nodes_pb2.UncordonNodeRequest
                await request(kind(request_id=uuid.uuid4().hex, id=part.id), timeout=10)
                worst = max(worst, time.monotonic() - begin)
                if number % 100 == 0:  # its heartbeat: it reads nothing, yet it lives
                    await call.write(node_control_pb2.NodeMessage(report=node_control_pb2.NodeReport()))
            assert worst < 10
            got = [snapshot async for snapshot in _snapshots(call)]
        finally:
            call.cancel()
    revisions = [snapshot.revision for snapshot in got]
    assert revisions == sorted(set(revisions))
    assert got[-1].draining is bool((changes - 1) % 2), "the newest state did not come"
    assert len(got) < changes, "nothing was left out for the slow reader"


async def _snapshots(call: Any) -> AsyncIterator[node_control_pb2.Snapshot]:
    """Yield what has been held back for the reader, until nothing more comes."""
    while True:
        try:
            async with asyncio.timeout(3):
                instruction = await call.read()
        except TimeoutError:
            return
        assert instruction is not grpc.aio.EOF  # type: ignore[attr-defined]  # missing from the stubs
        yield instruction.snapshot


def _fleet(cluster: Cluster, credentials: tls.Credentials | None, *options: tuple[str, Any]) -> grpc.aio.Channel:
    authorities = cluster.control_plane.ca.read_bytes()
    return tls.channel(cluster.control_plane.fleet, authorities=authorities, credentials=credentials, options=options)


def _forged(cluster: Cluster) -> tls.Credentials:
    other = ca.create("nearhop.test", datetime.now(UTC))
    key = ec.generate_private_key(ec.SECP256R1())
    part = Part(Role.NODE, "tokyo-1", "tokyo")
    issued = ca.issue(other, key.public_key(), part, epoch=1, now=datetime.now(UTC), life=timedelta(hours=1))
    return tls.Credentials(ca.key_pem(key), issued.public_bytes(Encoding.PEM), cluster.control_plane.ca.read_bytes())
