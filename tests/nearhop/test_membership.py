"""A part's membership while it runs: it joins, renews, waits out what is away, and takes a new token when the old one is of no use."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nearhop import enroll, tls
from nearhop.membership import JoinConfig, Membership
from nearhop.spiffe import Part, Role
from nearhop.v1 import identity_pb2, identity_pb2_grpc
from tests.controlplane.api.secured import Secured, secured
from tests.harness.etcd import Etcd
from tests.harness.eventually import eventually

ROUTER = Part(Role.ROUTER, "r1")


@asynccontextmanager
async def living(membership: Membership) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(membership.run())
        try:
            yield
        finally:
            task.cancel()


async def whoami(running: Secured, membership: Membership) -> str:
    async with membership.channel(running.fleet) as channel:
        return (await identity_pb2_grpc.IdentityStub(channel).WhoAmI(identity_pb2.WhoAmIRequest())).name


async def test_it_joins_by_itself_and_then_has_channels(etcd: Etcd, tmp_path: Path) -> None:
    async with secured(etcd.endpoint, tmp_path / "keys") as running:
        file = tmp_path / "token"
        join = JoinConfig((running.api,), token_file=file)
        membership = Membership(ROUTER, tmp_path / "r1", [running.fleet], join)
        with pytest.raises(tls.CertificateError, match="holds no certificate yet"):
            membership.channel(running.fleet)
        file.write_text((await running.access.joining.create_token("t", ROUTER))[1] + "\n")
        async with living(membership), asyncio.timeout(10):
            await membership.ready()
            assert await whoami(running, membership) == "spiffe://example.org/router/r1"


async def test_it_renews_at_half_life_and_tells(etcd: Etcd, tmp_path: Path) -> None:
    async with secured(etcd.endpoint, tmp_path / "keys", life_s=4) as running:
        text = (await running.access.joining.create_token("t", ROUTER))[1]
        folder = tmp_path / "r1"
        first = await enroll.join(folder, ROUTER, token=text, endpoints=[running.api])
        membership = Membership(ROUTER, folder, [running.fleet], None)
        async with living(membership), asyncio.timeout(8):
            await membership.ready()
            await membership.changed()
            second = tls.load(folder, datetime.now(UTC))
            assert second.certificate.serial_number != first.certificate.serial_number
            assert second.key != first.key
            assert await whoami(running, membership) == "spiffe://example.org/router/r1"


async def test_a_certificate_that_somebody_puts_there_is_taken(etcd: Etcd, tmp_path: Path) -> None:
    async with secured(etcd.endpoint, tmp_path / "keys") as running:
        membership = Membership(ROUTER, tmp_path / "r1", [running.fleet], None)
        async with living(membership), asyncio.timeout(15):
            text = (await running.access.joining.create_token("t", ROUTER))[1]
            await enroll.join(tmp_path / "r1", ROUTER, token=text, endpoints=[running.api])
            await membership.ready()


async def test_a_missing_token_file_stops_nothing(tmp_path: Path) -> None:
    join = JoinConfig(("192.0.2.1:1",), token_file=tmp_path / "none")
    membership = Membership(ROUTER, tmp_path / "r1", ["192.0.2.1:1"], join)
    async with living(membership):

        async def alive() -> bool:
            return not (tmp_path / "r1").exists()

        await eventually(alive, within=1)
