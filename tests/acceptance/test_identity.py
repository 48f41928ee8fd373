"""Who may speak to the control plane: every wrong credential is refused with its reason, and nothing changes; nobody's clients notice."""

import asyncio
import uuid
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from controlplane.identity import ca
from nearhop import enroll, tls
from nearhop.enroll import EnrollError
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
    router_control_pb2,
    router_control_pb2_grpc,
)
from tests.acceptance.traffic import Traffic
from tests.harness.cluster import Cluster
from tests.harness.eventually import eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

NEWCOMER = Part(Role.NODE, "osaka-1", "osaka")
SOURCE = 'export default { fetch: () => new Response("hello") };'


async def refusal(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str]:
    """Return the status and the sentence with which *call* is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), tls.explain(caught.value)


def certificate(cluster: Cluster, node: str = "tokyo-1") -> tls.Credentials:
    """Return a node's own credentials, as a thief would have them."""
    return tls.load(cluster.folder / node / "identity", datetime.now(UTC))


def fleet(cluster: Cluster, credentials: tls.Credentials | None) -> grpc.aio.Channel:
    authorities = cluster.control_plane.ca.read_bytes()
    return tls.channel(cluster.control_plane.fleet, authorities=authorities, credentials=credentials)


def hello(node: str, region: str) -> node_control_pb2.NodeMessage:
    return node_control_pb2.NodeMessage(
        hello=node_control_pb2.Hello(
            node=node,
            region=region,
            location={"latitude": 1, "longitude": 1},
            ingress={"ipv4": ["192.0.2.1"], "port": 80},
            instance="thief",
        )
    )


async def sync(channel: grpc.aio.Channel, *messages: node_control_pb2.NodeMessage) -> Any:
    call = node_control_pb2_grpc.NodeControlStub(channel).Sync()
    for message in messages:
        await call.write(message)
    return await call.read()


async def join(cluster: Cluster, folder: Path, token: str, part: Part = NEWCOMER) -> tls.Credentials:
    return await enroll.join(folder, part, token=token, endpoints=[cluster.endpoint])


async def everything(cluster: Cluster) -> tuple[Any, ...]:
    """Return what a refused call must leave as it is."""
    async with cluster.channel() as channel:
        nodes = await nodes_pb2_grpc.NodesStub(channel).ListNodes(nodes_pb2.ListNodesRequest())
        functions = await functions_pb2_grpc.FunctionsStub(channel).ListFunctions(functions_pb2.ListFunctionsRequest())
        parts = await identity_pb2_grpc.IdentityStub(channel).ListIdentities(identity_pb2.ListIdentitiesRequest())
        tokens = await identity_pb2_grpc.TokensStub(channel).ListApiTokens(identity_pb2.ListApiTokensRequest())
    return (
        [(it.id, it.region, it.draining, it.connected) for it in nodes.nodes],
        [it.name for it in functions.functions],
        [(it.name, it.revoked) for it in parts.identities],
        [it.id for it in tokens.tokens],
    )


class TestStrangers:
    """Callers without a credential, or with one of somebody else's making."""

    async def test_nothing_is_spoken_in_the_open(self, shared_cluster: Cluster) -> None:
        plane = shared_cluster.control_plane
        for address in (plane.address, plane.fleet, shared_cluster.etcd.endpoint):
            async with grpc.aio.insecure_channel(address) as channel:
                code, _ = await refusal(channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=5))
            assert code is grpc.StatusCode.UNAVAILABLE, address

    async def test_no_certificate_means_no_connection_to_the_fleets_address(self, shared_cluster: Cluster) -> None:
        async with fleet(shared_cluster, None) as channel:
            code, reason = await refusal(sync(channel, hello("tokyo-1", "tokyo")))
        assert code is grpc.StatusCode.UNAVAILABLE
        assert "does not take this part's certificate" in reason

    async def test_no_certificate_and_no_token_is_told_on_the_apis_address(self, shared_cluster: Cluster) -> None:
        before = await everything(shared_cluster)
        async with shared_cluster.channel_as("") as channel:
            code, reason = await refusal(sync(channel, hello("tokyo-1", "tokyo")))
            assert (code, reason) == (
                grpc.StatusCode.UNAUTHENTICATED,
                "the call carries no API token and no certificate",
            )
            drain = nodes_pb2.DrainNodeRequest(request_id="x", id="tokyo-1")
            code, _ = await refusal(nodes_pb2_grpc.NodesStub(channel).DrainNode(drain))
            assert code is grpc.StatusCode.UNAUTHENTICATED
        assert await everything(shared_cluster) == before

    async def test_a_certificate_of_another_authority_is_refused(self, shared_cluster: Cluster) -> None:
        other = ca.create("nearhop.test", datetime.now(UTC))
        key = ec.generate_private_key(ec.SECP256R1())
        part = Part(Role.NODE, "tokyo-1", "tokyo")
        forged = ca.issue(
            other, key.public_key(), part, epoch=1, now=datetime.now(UTC), life=timedelta(hours=1)
        ).public_bytes(Encoding.PEM)
        credentials = tls.Credentials(ca.key_pem(key), forged, shared_cluster.control_plane.ca.read_bytes())
        async with fleet(shared_cluster, credentials) as channel:
            code, reason = await refusal(sync(channel, hello("tokyo-1", "tokyo")))
        assert code is grpc.StatusCode.UNAVAILABLE
        assert "does not take this part's certificate" in reason

    async def test_a_part_refuses_a_control_plane_of_another_authority(self, shared_cluster: Cluster) -> None:
        other = ca.create("nearhop.test", datetime.now(UTC))
        async with tls.channel(shared_cluster.endpoint, authorities=other.pem, token="nhp_secret") as channel:
            request = nodes_pb2.ListNodesRequest()
            code, reason = await refusal(nodes_pb2_grpc.NodesStub(channel).ListNodes(request, timeout=5))
        assert code is grpc.StatusCode.UNAVAILABLE
        assert "not of an authority that this part trusts" in reason

    async def test_a_nodes_certificate_opens_no_door_of_etcd(self, shared_cluster: Cluster) -> None:
        own = certificate(shared_cluster)
        authorities = (shared_cluster.keys / "etcd-ca.pem").read_bytes()
        credentials = grpc.ssl_channel_credentials(authorities, own.key, own.chain)
        async with grpc.aio.secure_channel(shared_cluster.etcd.endpoint, credentials) as channel:
            code, _ = await refusal(channel.unary_unary("/etcdserverpb.KV/Range")(b"\x0a\x01/", timeout=5))
        assert code is grpc.StatusCode.UNAVAILABLE


class TestParts:
    """Parts with a good certificate speak about themselves, and about nobody else."""

    @pytest.mark.parametrize(("node", "region"), [("london-1", "london"), ("tokyo-1", "london"), ("tokyo-2", "tokyo")])
    async def test_a_node_cannot_take_another_name(self, shared_cluster: Cluster, node: str, region: str) -> None:
        before = await everything(shared_cluster)
        async with fleet(shared_cluster, certificate(shared_cluster)) as channel:
            code, reason = await refusal(sync(channel, hello(node, region)))
        assert code is grpc.StatusCode.PERMISSION_DENIED
        assert "the certificate is that of node tokyo-1" in reason
        assert await everything(shared_cluster) == before

    @pytest.mark.parametrize("name", ["../london-1", "tokyo-1\n", "t\u043ekyo-1", "tokyo-1\0", ""])
    async def test_nor_one_that_only_looks_like_its_own(self, shared_cluster: Cluster, name: str) -> None:
        async with fleet(shared_cluster, certificate(shared_cluster)) as channel:
            code, reason = await refusal(sync(channel, hello(name, "tokyo")))
        assert code is grpc.StatusCode.PERMISSION_DENIED
        assert repr(name) in reason

    async def test_a_second_agent_with_the_same_certificate_is_refused(self, shared_cluster: Cluster) -> None:
        async with fleet(shared_cluster, certificate(shared_cluster)) as channel:
            code, reason = await refusal(sync(channel, hello("tokyo-1", "tokyo")))
        assert code is grpc.StatusCode.ALREADY_EXISTS
        assert "another agent with the id 'tokyo-1' is connected" in reason

    async def test_a_node_reads_nothing_and_changes_nothing(self, shared_cluster: Cluster) -> None:
        async with fleet(shared_cluster, certificate(shared_cluster)) as channel:
            calls: list[Awaitable[Any]] = [
                nodes_pb2_grpc.NodesStub(channel).ListNodes(nodes_pb2.ListNodesRequest()),
                nodes_pb2_grpc.NodesStub(channel).DrainNode(nodes_pb2.DrainNodeRequest(request_id="x", id="london-1")),
                identity_pb2_grpc.TokensStub(channel).ListApiTokens(identity_pb2.ListApiTokensRequest()),
                router_control_pb2_grpc.RouterControlStub(channel)
                .Sync(iter([router_control_pb2.RouterMessage(hello={"router": "tokyo-1"})]))
                .read(),
            ]
            for call in calls:
                code, reason = await refusal(call)
                assert (code, reason.startswith("node tokyo-1 may not call")) == (
                    grpc.StatusCode.PERMISSION_DENIED,
                    True,
                )

    async def test_a_router_cannot_speak_for_another(self, shared_cluster: Cluster) -> None:
        own = tls.load(shared_cluster.folder / "router" / "identity", datetime.now(UTC))
        async with fleet(shared_cluster, own) as channel:
            stub = router_control_pb2_grpc.RouterControlStub(channel)
            foreign = router_control_pb2.RouterMessage(hello={"router": "r2"})
            code, reason = await refusal(stub.Sync(iter([foreign])).read())
        assert code is grpc.StatusCode.PERMISSION_DENIED
        assert "router r1" in reason


class TestJoinTokens:
    """A join token lets one part in, once, under one name, for ten minutes."""

    async def test_a_token_used_twice_is_refused(self, shared_cluster: Cluster, tmp_path: Path) -> None:
        part = Part(Role.NODE, "osaka-2", "osaka")
        token = await shared_cluster.join_token(part)
        await join(shared_cluster, tmp_path / "first", token, part)
        with pytest.raises(EnrollError, match="was used already") as caught:
            await join(shared_cluster, tmp_path / "second", token, part)
        assert caught.value.final
        assert not (tmp_path / "second").exists()

    async def test_a_node_joins_by_the_command_line(self, shared_cluster: Cluster, tmp_path: Path) -> None:
        made = await shared_cluster.run("token", "create", "osaka-4", "--role", "node", "--region", "osaka")
        assert made.status == 0, made.stderr
        command = ("node", "join", "osaka-4", "--region", "osaka", "--control-plane", shared_cluster.endpoint)
        token = ("--token", made.stdout.strip())
        ran = await shared_cluster.run(*command, *token, "--folder", tmp_path / "osaka-4")
        assert ran.status == 0, ran.stderr
        own = tls.load(tmp_path / "osaka-4", datetime.now(UTC))
        async with fleet(shared_cluster, own) as channel:
            me = await identity_pb2_grpc.IdentityStub(channel).WhoAmI(identity_pb2.WhoAmIRequest())
        assert me.name == "spiffe://nearhop.test/node/osaka/osaka-4"
        ran = await shared_cluster.run(*command, *token, "--folder", tmp_path / "again")
        assert (ran.status, "was used already" in ran.stderr) == (1, True)

    async def test_of_two_at_once_exactly_one_wins(self, shared_cluster: Cluster, tmp_path: Path) -> None:
        part = Part(Role.NODE, "osaka-3", "osaka")
        token = await shared_cluster.join_token(part)
        joins = [join(shared_cluster, tmp_path / str(number), token, part) for number in range(6)]
        results = await asyncio.gather(*joins, return_exceptions=True)
        assert sum(isinstance(result, tls.Credentials) for result in results) == 1
        assert sum("was used already" in str(result) for result in results) == 5

    async def test_an_expired_token_is_refused(self, shared_cluster: Cluster, tmp_path: Path) -> None:
        token = await shared_cluster.join_token(NEWCOMER, ttl_s=0.01)
        await asyncio.sleep(0.05)  # its life
        with pytest.raises(EnrollError, match="expired at"):
            await join(shared_cluster, tmp_path / "late", token)

    async def test_a_token_is_for_its_name_only(self, shared_cluster: Cluster, tmp_path: Path) -> None:
        before = await everything(shared_cluster)
        token = await shared_cluster.join_token(NEWCOMER)
        with pytest.raises(EnrollError, match="bound to node osaka-1 of region osaka, not to node kobe-1"):
            await join(shared_cluster, tmp_path / "other", token, Part(Role.NODE, "kobe-1", "osaka"))
        assert await everything(shared_cluster) == before

    async def test_an_invented_token_is_refused(self, shared_cluster: Cluster, tmp_path: Path) -> None:
        token = await shared_cluster.join_token(NEWCOMER)
        prefix, token_id, _, authority = token.split("_")
        with pytest.raises(EnrollError, match="secret is wrong"):
            await join(shared_cluster, tmp_path / "x", "_".join((prefix, token_id, "0" * 64, authority)))

    async def test_a_joiner_sends_its_token_to_nobody_else(self, shared_cluster: Cluster, tmp_path: Path) -> None:
        prefix, token_id, secret, _ = (await shared_cluster.join_token(NEWCOMER)).split("_")
        with pytest.raises(EnrollError, match="nothing was sent"):
            await join(shared_cluster, tmp_path / "x", "_".join((prefix, token_id, secret, "ab" * 32)))

    async def test_two_nodes_of_one_name_are_refused(self, shared_cluster: Cluster, tmp_path: Path) -> None:
        before = await everything(shared_cluster)
        part = shared_cluster.nodes["tokyo-1"].part
        with pytest.raises(EnrollError, match="has joined already"):
            await join(shared_cluster, tmp_path / "twin", await shared_cluster.join_token(part), part)
        assert await everything(shared_cluster) == before

    @pytest.mark.parametrize("name", ["../x", "a/b", "x\n", "\u0430bc", "", "a" * 64, "x\x1b[31m"])
    async def test_odd_names_get_no_token(self, shared_cluster: Cluster, name: str) -> None:
        code, reason = await refusal(shared_cluster.join_token(Part(Role.NODE, name, "osaka")))
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert "part.id" in reason


class TestApiTokens:
    """People and programs may do what their token says, and nothing after it has ended."""

    async def test_a_viewer_sees_everything_and_changes_nothing(self, shared_cluster: Cluster) -> None:
        token = (await shared_cluster.api_token(identity_pb2.API_ROLE_VIEWER)).secret
        before = await everything(shared_cluster)
        async with shared_cluster.channel_as(token) as channel:
            nodes = nodes_pb2_grpc.NodesStub(channel)
            assert len((await nodes.ListNodes(nodes_pb2.ListNodesRequest())).nodes) >= 2
            for call in (
                nodes.DrainNode(nodes_pb2.DrainNodeRequest(request_id=uuid.uuid4().hex, id="tokyo-1")),
                functions_pb2_grpc.FunctionsStub(channel).CreateFunction(
                    functions_pb2.CreateFunctionRequest(request_id=uuid.uuid4().hex, name="mine")
                ),
                identity_pb2_grpc.IdentityStub(channel).RevokeIdentity(
                    identity_pb2.RevokeIdentityRequest(request_id=uuid.uuid4().hex, part={"role": 1, "id": "tokyo-1"})
                ),
            ):
                code, reason = await refusal(call)
                assert (code, "viewer test may not call" in reason) == (grpc.StatusCode.PERMISSION_DENIED, True)
        assert await everything(shared_cluster) == before

    async def test_a_deployer_deploys_its_functions_only(self, shared_cluster: Cluster, tmp_path: Path) -> None:
        token = (await shared_cluster.api_token(identity_pb2.API_ROLE_DEPLOYER, "allowed")).secret
        source = tmp_path / "allowed.js"
        source.write_text(SOURCE)
        ran = await shared_cluster.run("deploy", source, env={"NEARHOP_TOKEN": token})
        assert ran.status == 0, ran.stderr
        ran = await shared_cluster.run("deploy", source, "--name", "other", env={"NEARHOP_TOKEN": token})
        assert (ran.status, "may not change the function 'other'" in ran.stderr) == (1, True)
        ran = await shared_cluster.run("functions", "list", "--json", env={"NEARHOP_TOKEN": token})
        assert "other" not in [function["name"] for function in ran.json]

    async def test_a_revoked_or_expired_token_is_nobodys(self, shared_cluster: Cluster) -> None:
        made = await shared_cluster.api_token(identity_pb2.API_ROLE_ADMIN)
        short = await shared_cluster.api_token(identity_pb2.API_ROLE_ADMIN, ttl_s=0.01)
        revoked = await shared_cluster.run("token", "revoke", made.token.id)
        assert revoked.status == 0, revoked.stderr

        async def refused() -> bool:
            for token, reason in ((made.secret, "unknown"), (short.secret, "has expired")):
                ran = await shared_cluster.run("status", env={"NEARHOP_TOKEN": token})
                assert (ran.status, reason in ran.stderr) == (1, True), ran.stderr
            return True

        await eventually(refused, within=5)

    async def test_the_command_line_makes_and_shows_tokens(self, shared_cluster: Cluster) -> None:
        ran = await shared_cluster.run("token", "create", "ci", "--role", "deployer", "--function", "a", "--json")
        assert ran.status == 0, ran.stderr
        listed = await shared_cluster.run("token", "list", "--json")
        assert ran.json["id"] in [token["id"] for token in listed.json]
        assert ran.json["token"] not in listed.stdout
        me = await shared_cluster.run("identity", "whoami", "--json", env={"NEARHOP_TOKEN": ran.json["token"]})
        assert (me.json["name"], me.json["role"], me.json["functions"]) == ("ci", "deployer", ["a"])

    async def test_no_log_holds_a_secret(self, shared_cluster: Cluster) -> None:
        made = await shared_cluster.api_token(identity_pb2.API_ROLE_VIEWER)
        await shared_cluster.run("status", env={"NEARHOP_TOKEN": made.secret})
        for part in shared_cluster.parts():
            text = part.log.read_text(errors="replace")
            assert made.secret.rpartition("_")[2] not in text
            assert shared_cluster.control_plane.token.rpartition("_")[2] not in text
            assert "PRIVATE KEY" not in text


async def test_certificates_renew_themselves_and_nobody_notices(tmp_path: Path, geo_cache: Path) -> None:
    async with Cluster(["tokyo", "london"], folder=tmp_path, cache=geo_cache, life_s=6.0) as cluster:
        assert (await cluster.deploy_source("hello", SOURCE)).status == 0
        first = certificate(cluster).certificate
        async with Traffic(cluster, "hello", rate=20, resolve=True) as traffic:
            await asyncio.sleep(13)  # two lives: without renewal every connection would be refused
        assert traffic.failures == []
        now = certificate(cluster).certificate
        assert now.serial_number != first.serial_number
        assert now.not_valid_before_utc > first.not_valid_after_utc - timedelta(seconds=1)
        await cluster.all_connected()
        assert (await cluster.deploy_source("hello", SOURCE + "// two")).status == 0


async def test_a_revoked_node_is_cut_within_ten_seconds_and_its_clients_notice_nothing(
    tmp_path: Path, geo_cache: Path
) -> None:
    async with Cluster(["tokyo", "london"], folder=tmp_path, cache=geo_cache) as cluster:
        assert (await cluster.deploy_source("hello", SOURCE)).status == 0
        stolen = certificate(cluster)
        async with Traffic(cluster, "hello", rate=20, resolve=True) as traffic:
            ran = await cluster.run("identity", "revoke", "node/tokyo/tokyo-1", "--reason", "stolen")
            assert ran.status == 0, ran.stderr

            async def cut() -> bool:
                connected = {node.id: node.connected for node in await cluster.list_nodes()}
                return connected == {"tokyo-1": False, "london-1": True}

            await eventually(cut, within=10)
            async with fleet(cluster, stolen) as channel:
                code, reason = await refusal(sync(channel, hello("tokyo-1", "tokyo")))
                assert (code, "was revoked: stolen" in reason) == (grpc.StatusCode.UNAUTHENTICATED, True)
                renewal = identity_pb2.RenewRequest(
                    csr=enroll.signing_request(ec.generate_private_key(ec.SECP256R1()), cluster.nodes["tokyo-1"].part)
                )
                code, _ = await refusal(identity_pb2_grpc.IdentityStub(channel).Renew(renewal))
                assert code is grpc.StatusCode.UNAUTHENTICATED
            assert (await cluster.get("tokyo-1", "hello")).text == "hello"
        assert traffic.failures == []

        folder = cluster.folder / "tokyo-1" / "identity"
        part = cluster.nodes["tokyo-1"].part
        await join(cluster, folder, await cluster.join_token(part), part)
        await cluster.all_connected(within=30)
        async with fleet(cluster, stolen) as channel:
            code, reason = await refusal(sync(channel, hello("tokyo-1", "tokyo")))
        assert (code, "another part has joined" in reason) == (grpc.StatusCode.UNAUTHENTICATED, True)


async def test_an_expired_node_serves_on_and_comes_back_with_a_new_token(tmp_path: Path, geo_cache: Path) -> None:
    async with Cluster(["tokyo"], folder=tmp_path, cache=geo_cache, life_s=4.0) as cluster:
        assert (await cluster.deploy_source("hello", SOURCE)).status == 0
        node = cluster.nodes["tokyo-1"]
        await cluster.control_plane.kill()
        end = certificate(cluster).certificate.not_valid_after_utc
        await asyncio.sleep((end - datetime.now(UTC)).total_seconds() + 0.5)  # the certificate's life
        with pytest.raises(tls.CertificateError, match="expired"):
            certificate(cluster)
        assert (await cluster.get("tokyo-1", "hello")).text == "hello"
        await node.kill()
        await node.start()

        async def served() -> bool:
            return (await cluster.get("tokyo-1", "hello")).text == "hello"

        await eventually(served, within=10, reason="not served from disk")

        await cluster.control_plane.start()
        (cluster.keys / "tokyo-1.join").write_text(await cluster.join_token(node.part))
        (cluster.keys / "r1.join").write_text(await cluster.join_token(cluster.router.part))
        await cluster.all_connected(within=60)
    assert "left_s=" in node.log.read_text()
