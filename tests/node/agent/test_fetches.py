import hashlib
from pathlib import Path

import pytest

from nearhop.v1 import node_control_pb2 as pb
from node.agent.bundles import BundleStore
from node.agent.fetches import Fetches
from node.assets.store import AssetError

BODY = b"export default { fetch() {} }"
DIGEST = hashlib.sha256(BODY).hexdigest()


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Node:
    """What fetches stand between: the store, the packs and the stream."""

    def __init__(self, path: Path) -> None:
        self.bundles = BundleStore(path / "bundles")
        self.bundles.open()
        self.packs: dict[str, bytes] = {}
        self.trouble = ""
        self.connected = True
        self.asked: list[str] = []
        self.clock = Clock()
        self.fetches = Fetches(self.bundles, self.write_pack, self.clock)

    async def write_pack(self, digest: str, body: bytes) -> None:
        if self.trouble:
            raise AssetError(self.trouble)
        self.packs[digest] = body

    def send(self, message: pb.NodeMessage) -> bool:
        if self.connected:
            self.asked.append(message.bundle_request.digest)
        return self.connected

    def ask(self, *, pack: bool = False) -> bool:
        return self.fetches.ask(DIGEST, self.send, pack=pack)

    async def take(self, start: int = 0, end: int = len(BODY)) -> bool:
        chunk = pb.BundleChunk(digest=DIGEST, offset=start, data=BODY[start:end], last=end == len(BODY))
        return await self.fetches.take(chunk)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


async def test_a_bundle_arrives_in_chunks(node: Node) -> None:
    assert node.ask()
    assert (node.asked, node.fetches.under_way) == ([DIGEST], {DIGEST})
    assert not await node.take(0, 10)
    assert await node.take(10)
    assert (node.bundles.read(DIGEST), node.packs) == (BODY, {})
    assert (node.fetches.under_way, node.fetches.failures) == (frozenset(), {})


async def test_a_pack_goes_to_the_packs(node: Node) -> None:
    node.ask(pack=True)
    assert await node.take()
    assert (node.packs, node.bundles.stored) == ({DIGEST: BODY}, frozenset())


def test_nobody_is_asked_without_a_stream(node: Node) -> None:
    node.connected = False
    assert not node.ask()
    assert node.fetches.under_way == frozenset()


async def test_what_nobody_asked_for_is_not_taken(node: Node) -> None:
    assert not await node.take()
    assert node.bundles.stored == frozenset()


async def test_a_chunk_that_does_not_fit_fails_its_bundle(node: Node) -> None:
    node.ask()
    assert await node.take(10)
    failure = node.fetches.failures[DIGEST]
    assert ("does not continue" in failure.error, failure.retry_at) == (True, 105.0)
    assert node.fetches.under_way == frozenset()
    node.ask()
    assert await node.take()
    assert node.fetches.failures == {}


async def test_a_pack_that_cannot_be_stored_has_failed(node: Node) -> None:
    node.trouble = "the disk is full"
    node.ask(pack=True)
    assert await node.take()
    assert node.fetches.failures[DIGEST].error == "the disk is full"


async def test_half_a_bundle_goes_with_its_stream(node: Node) -> None:
    node.ask()
    await node.take(0, 10)
    node.fetches.disconnected()
    assert node.fetches.under_way == frozenset()
    node.ask()
    assert await node.take()
    assert node.bundles.stored == {DIGEST}


async def test_a_bundle_that_does_not_move_is_given_up(node: Node) -> None:
    node.ask()
    node.clock.now += 29
    await node.take(0, 10)  # it moves
    node.clock.now += 29
    node.fetches.expire()
    assert node.fetches.under_way == {DIGEST}
    node.clock.now += 2
    node.fetches.expire()
    assert "did not arrive within 30 s" in node.fetches.failures[DIGEST].error
    node.ask()
    assert await node.take()  # what came of it before is forgotten
    assert node.bundles.stored == {DIGEST}


def test_only_failures_of_wanted_bundles_are_kept(node: Node) -> None:
    for digest in ("a", "b"):
        node.fetches.failed(digest, "why")
    node.fetches.keep({"b", "c"})
    assert list(node.fetches.failures) == ["b"]
