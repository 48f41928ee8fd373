"""Joining as a part does it: over real TLS, against a real control plane, and against whoever only looks like one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from nearhop import enroll, tls
from nearhop.enroll import EnrollError
from nearhop.spiffe import Part, Role
from tests.controlplane.api.secured import Secured, secured
from tests.harness.etcd import Etcd, free_port

NODE = Part(Role.NODE, "tokyo-1", "tokyo")


@pytest_asyncio.fixture
async def running(etcd: Etcd, tmp_path: Path) -> AsyncIterator[Secured]:
    async with secured(etcd.endpoint, tmp_path / "keys") as running:
        yield running


async def token(running: Secured, part: Part = NODE) -> str:
    return (await running.access.joining.create_token("t", part))[1]


async def test_a_part_joins_with_nothing_but_its_token(running: Secured, tmp_path: Path) -> None:
    folder = tmp_path / "node"
    made = await enroll.join(folder, NODE, token=await token(running), endpoints=[running.api])
    assert tls.load(folder, made.certificate.not_valid_before_utc) == made
    assert made.authorities == running.ca
    assert (folder / tls.IDENTITY_FILE).stat().st_mode & 0o777 == 0o600


async def test_it_asks_the_next_control_plane_when_one_is_away(running: Secured, tmp_path: Path) -> None:
    away = f"127.0.0.1:{free_port()}"
    await enroll.join(tmp_path / "node", NODE, token=await token(running), endpoints=[away, running.api])


async def test_with_all_away_it_may_try_again(running: Secured, tmp_path: Path) -> None:
    away = f"127.0.0.1:{free_port()}"
    with pytest.raises(EnrollError, match="no control plane can be reached") as caught:
        await enroll.join(tmp_path / "node", NODE, token=await token(running), endpoints=[away])
    assert not caught.value.final


async def test_a_refusal_is_final_and_leaves_nothing(running: Secured, tmp_path: Path) -> None:
    other = Part(Role.NODE, "tokyo-2", "tokyo")
    with pytest.raises(EnrollError, match="bound to node tokyo-1") as caught:
        await enroll.join(tmp_path / "node", other, token=await token(running), endpoints=[running.api])
    assert caught.value.final
    assert not (tmp_path / "node").exists()


async def test_a_text_that_is_no_token_is_not_sent(tmp_path: Path) -> None:
    with pytest.raises(EnrollError, match="no join token") as caught:
        await enroll.join(tmp_path, NODE, token="nhp_x", endpoints=["192.0.2.1:1"])
    assert caught.value.final


async def test_the_tokens_fingerprint_decides_whom_to_trust(running: Secured, tmp_path: Path) -> None:
    prefix, name, secret, _ = (await token(running)).split("_")
    forged = "_".join((prefix, name, secret, "0" * 64))
    with pytest.raises(EnrollError, match="nothing was sent to it") as caught:
        await enroll.join(tmp_path / "node", NODE, token=forged, endpoints=[running.api])
    assert caught.value.final
    right = "_".join((prefix, name, secret, running.access.authority.sha256))
    await enroll.join(tmp_path / "node", NODE, token=right, endpoints=[running.api])


async def test_a_store_that_is_away_is_no_refusal(running: Secured, etcd: Etcd, tmp_path: Path) -> None:
    text = await token(running)
    await etcd.kill()
    with pytest.raises(EnrollError, match="etcd") as caught:
        await enroll.join(tmp_path / "node", NODE, token=text, endpoints=[running.api])
    assert not caught.value.final
    await etcd.start()
