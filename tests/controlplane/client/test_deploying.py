from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest

from controlplane.client import deploying
from controlplane.client.failure import Failure
from nearhop.v1 import deployments_pb2

DEPLOYMENT = deployments_pb2.Deployment
UNDER_WAY = DEPLOYMENT(phase=DEPLOYMENT.PHASE_PROGRESSING)
COMPLETE = DEPLOYMENT(phase=DEPLOYMENT.PHASE_COMPLETE)


def broken(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), "lost")


class Streams:
    """What each stream tells before it ends, or breaks."""

    def __init__(self, *streams: list[deployments_pb2.Deployment | grpc.aio.AioRpcError]) -> None:
        self.streams = list(streams)
        self.seen: list[deployments_pb2.Deployment] = []

    async def start(self) -> AsyncIterator[deployments_pb2.Deployment]:
        for item in self.streams.pop(0):
            if isinstance(item, grpc.aio.AioRpcError):
                raise item
            yield item


@pytest.mark.parametrize(
    ("phase", "ended", "back"),
    [
        (DEPLOYMENT.PHASE_UNSPECIFIED, False, False),
        (DEPLOYMENT.PHASE_PROGRESSING, False, False),
        (DEPLOYMENT.PHASE_PAUSED, False, False),
        (DEPLOYMENT.PHASE_COMPLETE, True, False),
        (DEPLOYMENT.PHASE_FAILED, True, True),
        (DEPLOYMENT.PHASE_ROLLED_BACK, True, True),
    ],
)
def test_which_phases_are_an_end(phase: DEPLOYMENT.Phase, ended: bool, back: bool) -> None:
    found = DEPLOYMENT(phase=phase)
    assert (deploying.has_ended(found), deploying.gave_back(found)) == (ended, back)


def test_a_gradual_deployment_has_begun_with_its_first_step() -> None:
    told = DEPLOYMENT(phase=DEPLOYMENT.PHASE_PROGRESSING, rollout=deployments_pb2.Rollout(version=2, step=-1))
    told.rollout.reached_at.FromSeconds(1)  # ready everywhere, without a share
    assert not deploying.has_begun(told)
    told.rollout.step = 0
    assert deploying.has_begun(told)
    told.rollout.ClearField("reached_at")
    assert not deploying.has_begun(told)
    told.rollout.step = 1
    assert deploying.has_begun(told)
    assert deploying.has_begun(COMPLETE)
    assert not deploying.has_begun(UNDER_WAY)


async def test_every_message_is_seen_up_to_the_one_that_is_enough() -> None:
    streams = Streams([UNDER_WAY, COMPLETE, UNDER_WAY])
    assert await deploying.follow(streams.start, streams.seen.append) == COMPLETE
    assert streams.seen == [UNDER_WAY, COMPLETE]


async def test_a_lost_stream_is_opened_again_where_there_is_another_control_plane() -> None:
    streams = Streams([UNDER_WAY, broken(grpc.StatusCode.UNAVAILABLE)], [COMPLETE])
    assert await deploying.follow(streams.start, streams.seen.append, again=True) == COMPLETE
    alone = Streams([UNDER_WAY, broken(grpc.StatusCode.UNAVAILABLE)], [COMPLETE])
    with pytest.raises(grpc.aio.AioRpcError):
        await deploying.follow(alone.start, alone.seen.append)
    assert len(alone.streams) == 1


async def test_a_refused_call_is_not_repeated() -> None:
    streams = Streams([broken(grpc.StatusCode.NOT_FOUND)], [COMPLETE])
    with pytest.raises(grpc.aio.AioRpcError):
        await deploying.follow(streams.start, streams.seen.append, again=True)
    assert len(streams.streams) == 1


async def test_a_stream_that_ends_too_early_is_told() -> None:
    streams = Streams([UNDER_WAY])
    with pytest.raises(Failure, match="The deployment goes on by itself"):
        await deploying.follow(streams.start, streams.seen.append)
