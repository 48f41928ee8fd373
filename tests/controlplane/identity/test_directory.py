"""Who is known: authentication by token, and whether a caller still holds, while the store changes, compacts and goes away."""

import asyncio
import contextlib

import pytest

from controlplane.identity import tokens
from controlplane.identity.api_tokens import ApiTokens
from controlplane.identity.directory import Directory
from controlplane.identity.principal import Anonymous, ApiCaller, ApiRole, PartCaller
from controlplane.identity.records import TOKENS, PartRecord, encode, part_key
from controlplane.store.client import Put, Store
from controlplane.store.errors import StoreUnavailable
from nearhop.spiffe import Part, Role
from tests.controlplane.identity.conftest import Clock
from tests.harness.etcd import Etcd
from tests.harness.eventually import eventually

NODE = Part(Role.NODE, "tokyo-1", "tokyo")


async def revoke(store: Store, epoch: int) -> None:
    await store.commit(
        [], [Put(part_key(NODE), encode(PartRecord(NODE, epoch, 0.0, 0.0, revoked=True, reason="lost")))]
    )


async def test_a_fresh_token_is_known_at_once_and_a_revoked_one_soon_no_more(
    directory: Directory, api_tokens: ApiTokens
) -> None:
    record, text = await api_tokens.create("one", "ci", ApiRole.DEPLOYER, functions=["hello"])
    caller = await directory.authenticate(text)
    assert caller == ApiCaller(record.id, "ci", ApiRole.DEPLOYER, frozenset({"hello"}), None)
    await api_tokens.revoke(record.id)

    async def gone() -> bool:
        return isinstance(await directory.authenticate(text), Anonymous)

    await eventually(gone, within=2)
    assert "revoked" in directory.refusal(caller)


async def test_a_wrong_secret_is_nobody(directory: Directory, api_tokens: ApiTokens) -> None:
    record, _ = await api_tokens.create("one", "ops", ApiRole.ADMIN)
    for text in (tokens.api_token(record.id, tokens.new_secret()), tokens.api_token("0" * 16, tokens.new_secret())):
        assert await directory.authenticate(text) == Anonymous("the API token is unknown: never made, or revoked")
    assert await directory.authenticate("hunter2") == Anonymous("this is no API token")


async def test_an_expired_token_is_nobody(directory: Directory, api_tokens: ApiTokens, clock: Clock) -> None:
    _, text = await api_tokens.create("one", "ops", ApiRole.ADMIN, ttl_s=60)
    caller = await directory.authenticate(text)
    assert directory.refusal(caller) == ""
    clock.now += 60
    assert await directory.authenticate(text) == Anonymous("the API token 'ops' has expired")
    assert "expired" in directory.refusal(caller)


async def test_a_revoked_certificate_is_refused_within_a_moment(
    directory: Directory, store: Store, clock: Clock
) -> None:
    caller = PartCaller(NODE, 1, clock.now + 60)
    assert directory.refusal(caller) == ""
    await revoke(store, 2)

    async def refused() -> bool:
        return directory.refusal(caller) == "the certificate of node tokyo-1 of region tokyo was revoked: lost"

    await eventually(refused, within=2)
    assert directory.refusal(PartCaller(NODE, 2, clock.now + 60)) == "", "it has joined again"


async def test_an_expired_certificate_is_refused(directory: Directory, clock: Clock) -> None:
    assert "expired" in directory.refusal(PartCaller(NODE, 1, clock.now))


async def test_nobody_has_nothing_that_could_end(directory: Directory) -> None:
    assert directory.refusal(Anonymous("why")) == ""


async def test_a_record_that_cannot_be_read_keeps_its_last_value(
    directory: Directory, store: Store, clock: Clock
) -> None:
    await revoke(store, 2)
    caller = PartCaller(NODE, 1, clock.now + 60)

    async def refused() -> bool:
        return bool(directory.refusal(caller))

    await eventually(refused, within=2)
    await store.commit([], [Put(part_key(NODE), b"{"), Put(f"{TOKENS}odd", b"\xff")])
    await directory.load()
    assert await refused()


async def test_the_last_copy_stays_while_the_store_is_away(etcd: Etcd, clock: Clock) -> None:
    store = Store([etcd.endpoint])
    directory, api_tokens = Directory(store, clock=clock), ApiTokens(store, clock=clock)
    _, known = await api_tokens.create("one", "ops", ApiRole.ADMIN)
    await directory.load()
    await etcd.pause()
    try:
        assert isinstance(await directory.authenticate(known), ApiCaller)
        with pytest.raises(StoreUnavailable):
            await directory.authenticate(tokens.api_token("0" * 16, tokens.new_secret()))
    finally:
        etcd.resume()
        await store.close()


async def test_a_use_is_noted_once_a_minute_and_never_brings_a_token_back(
    directory: Directory, api_tokens: ApiTokens
) -> None:
    record, _ = await api_tokens.create("one", "ops", ApiRole.ADMIN)
    for at in (1000.0, 1059.0, 1061.0):
        await directory.note_use(record.id, at)
        (noted,) = await api_tokens.list()
        assert noted.last_used_at == (1061.0 if at == 1061.0 else 1000.0)
    await api_tokens.revoke(record.id)
    await directory.note_use(record.id, 2000.0)
    assert await api_tokens.list() == []


async def test_a_change_wakes_whoever_waits(directory: Directory, store: Store) -> None:
    directory.changed.clear()
    await revoke(store, 2)
    async with asyncio.timeout(2):
        await directory.changed.wait()


async def test_it_follows_through_a_restart_of_the_store(etcd: Etcd, clock: Clock) -> None:
    store = Store([etcd.endpoint])
    directory = Directory(store, clock=clock)
    caller = PartCaller(NODE, 1, clock.now + 60)

    async def revoked() -> bool:
        with contextlib.suppress(StoreUnavailable):
            await revoke(store, 2)
            return True
        return False

    async def refused() -> bool:
        return bool(directory.refusal(caller))

    async with asyncio.TaskGroup() as group:
        following = group.create_task(directory.run())
        await etcd.kill()
        await etcd.start()
        await eventually(revoked, within=10)
        await eventually(refused, within=10)
        following.cancel()
    await store.close()
