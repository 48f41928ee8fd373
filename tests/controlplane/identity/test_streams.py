"""Calls in flight are cut when their caller no longer holds, and only then."""

import asyncio

import pytest

from controlplane.identity.directory import Directory
from controlplane.identity.errors import Cut
from controlplane.identity.principal import Anonymous, PartCaller, Principal
from controlplane.identity.streams import Streams
from controlplane.store.client import Store
from nearhop.spiffe import Part, Role
from tests.controlplane.identity.conftest import Clock

NODE = Part(Role.NODE, "tokyo-1", "tokyo")


@pytest.fixture
def streams(store: Store, clock: Clock) -> Streams:
    return Streams(Directory(store, clock=clock))


async def hold(streams: Streams, caller: Principal, entered: asyncio.Event) -> None:
    with streams.entered(caller):
        entered.set()
        await asyncio.Event().wait()


async def start(streams: Streams, caller: Principal) -> asyncio.Task[None]:
    entered = asyncio.Event()
    task = asyncio.get_running_loop().create_task(hold(streams, caller, entered))
    await entered.wait()
    return task


async def test_an_expired_callers_stream_is_cut_and_another_goes_on(streams: Streams, clock: Clock) -> None:
    short = await start(streams, PartCaller(NODE, 1, clock.now + 5))
    long = await start(streams, PartCaller(NODE, 1, clock.now + 50))
    streams.sweep()
    clock.now += 5
    streams.sweep()
    with pytest.raises(Cut, match="expired"):
        await short
    streams.sweep()
    assert (streams.cut, long.done()) == (1, False)
    long.cancel()
    with pytest.raises(asyncio.CancelledError):
        await long


async def test_a_cancellation_from_elsewhere_stays_one(streams: Streams, clock: Clock) -> None:
    task = await start(streams, PartCaller(NODE, 1, clock.now + 5))
    clock.now += 5
    task.cancel()
    streams.sweep()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_run_cuts_what_expires_without_any_change(streams: Streams, clock: Clock) -> None:
    task = await start(streams, PartCaller(NODE, 1, clock.now))
    async with asyncio.TaskGroup() as group:
        sweeper = group.create_task(streams.run())
        with pytest.raises(Cut):
            async with asyncio.timeout(3):
                await task
        sweeper.cancel()


async def test_calls_without_a_credential_are_left_alone(streams: Streams) -> None:
    task = await start(streams, Anonymous())
    streams.sweep()
    await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
