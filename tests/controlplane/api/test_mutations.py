import pytest

from controlplane.api.errors import NotFound
from controlplane.api.mutations import Mutations, Proposal
from controlplane.store.cache import Cache
from controlplane.store.client import Put, Store, Unchanged
from controlplane.store.errors import Conflict
from controlplane.store.requests import Requests
from nearhop.errors import InvalidInput
from nearhop.v1 import nodes_pb2


@pytest.fixture
def mutations(store: Store) -> Mutations:
    cache = Cache(store)
    cache.reached = _at_once  # type: ignore[method-assign,assignment]  # no cache runs here
    return Mutations(store, cache, Requests(store, monotonic=lambda: 0.0))


async def _at_once(revision: int) -> None:
    return None


REQUEST = nodes_pb2.DrainNodeRequest(request_id="r1", id="a")
KEY = "/nearhop/test"


async def test_a_lost_race_is_decided_again(store: Store, mutations: Mutations) -> None:
    attempts = []

    async def propose() -> Proposal[nodes_pb2.Node]:
        item = await store.get(KEY)
        if len(attempts) < 2:
            await store.commit([], [Put(KEY, b"another writer")])
        attempts.append(item)
        return Proposal([Unchanged(KEY, item.revision if item else 0)], [Put(KEY, b"mine")], nodes_pb2.Node(id="a"))

    answer = await mutations.run(REQUEST, propose, nodes_pb2.Node)
    item = await store.get(KEY)
    assert item is not None
    assert (len(attempts), item.value, answer.revision) == (3, b"mine", item.revision)


async def test_a_race_that_is_always_lost_is_given_up(store: Store, mutations: Mutations) -> None:
    async def propose() -> Proposal[nodes_pb2.Node]:
        return Proposal([Unchanged(KEY, 10**9)], [], nodes_pb2.Node())

    with pytest.raises(Conflict):
        await mutations.run(REQUEST, propose, nodes_pb2.Node)
    assert await store.get("/nearhop/requests/r1") is None


async def test_the_first_answer_is_given_again_without_deciding(mutations: Mutations) -> None:
    async def propose() -> Proposal[nodes_pb2.Node]:
        return Proposal([], [Put(KEY, b"")], nodes_pb2.Node(id="a", region="first"))

    async def never() -> Proposal[nodes_pb2.Node]:
        raise NotFound("X", "must not be asked")

    first = await mutations.run(REQUEST, propose, nodes_pb2.Node)
    assert first.revision > 0
    assert await mutations.run(REQUEST, never, nodes_pb2.Node) == first
    for other in (
        nodes_pb2.DrainNodeRequest(request_id="r1", id="b"),
        nodes_pb2.DeleteNodeRequest(request_id="r1", id="a"),
    ):
        with pytest.raises(InvalidInput):
            await mutations.run(other, never, nodes_pb2.Node)


async def test_a_refusal_leaves_no_answer(store: Store, mutations: Mutations) -> None:
    async def propose() -> Proposal[nodes_pb2.Node]:
        raise NotFound("X", "there is none")

    with pytest.raises(NotFound):
        await mutations.run(REQUEST, propose, nodes_pb2.Node)
    assert await store.get("/nearhop/requests/r1") is None


async def test_a_lost_lease_of_the_answers_is_replaced(store: Store, mutations: Mutations) -> None:
    async def propose() -> Proposal[nodes_pb2.Node]:
        return Proposal([], [Put(KEY, b"")], nodes_pb2.Node(id="a"))

    await mutations.run(REQUEST, propose, nodes_pb2.Node)
    await store.revoke(mutations._requests._lease)
    second = nodes_pb2.DrainNodeRequest(request_id="r2", id="a")
    assert (await mutations.run(second, propose, nodes_pb2.Node)).id == "a"
