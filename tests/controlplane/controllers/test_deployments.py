import pytest

from controlplane.controllers.deployments import Deployments, Rollouts, placed_nodes
from controlplane.model import (
    Deployment,
    Function,
    Gradual,
    Ingress,
    Location,
    Node,
    NodeReport,
    Phase,
    PlacementState,
    PlacementStatus,
    Rollout,
    Share,
)
from controlplane.rollout import PlacedNode
from controlplane.store import codec
from controlplane.store.cache import Cache
from controlplane.store.client import Put, Store
from controlplane.store.errors import Conflict
from controlplane.store.keys import Key, Kind
from controlplane.store.view import Stored, View

FUNCTION = Function("hello", ("hello.example.org",), 0.0, "r")
STARTED = Deployment("hello", 1, (Share(1, 100),), (), Phase.PROGRESSING, "", 100.0, "r")
PATH = str(Key(Kind.DEPLOYMENTS, "hello"))
STATUS = PlacementStatus("hello", 1, PlacementState.ACTIVE, 1)


def node(name: str) -> Stored[Node]:
    return Stored(Node(name, "tokyo", "", Location(0, 0), Ingress(80, ("192.0.2.1",))), 1)


def view(revision: int, *reports: NodeReport, deployment: Deployment = STARTED) -> View:
    return View(
        revision=revision + 1,
        functions={"hello": Stored(FUNCTION, 1)},
        deployments={"hello": Stored(deployment, revision)},
        nodes={"tokyo-1": node("tokyo-1"), "london-1": node("london-1")},
        health={report.node: Stored(report, revision + 1) for report in reports},
    )


def controller(store: Store, now: float = 101.0) -> Deployments:
    return Deployments(store, Cache(store), Rollouts(lambda: now, 60.0))


async def written(store: Store) -> Deployment:
    item = await store.get(PATH)
    assert item is not None
    return codec.decode(Deployment, item.value)


def test_the_nodes_of_a_function_are_told_with_what_they_reported() -> None:
    report = NodeReport("tokyo-1", "i", 9, (STATUS,))
    assert placed_nodes(view(5, report), "hello") == (
        PlacedNode("london-1", "tokyo", connected=False),
        PlacedNode("tokyo-1", "tokyo", connected=True, snapshot_revision=9, status=STATUS),
    )
    assert placed_nodes(view(5, report), "nobody") == ()


async def test_an_acknowledged_deployment_is_ended_in_the_store(store: Store) -> None:
    revision = await store.commit([], [Put(PATH, codec.encode(STARTED))])
    newest = view(revision, NodeReport("tokyo-1", "i", revision, (STATUS,)))
    assert await controller(store).reconcile("hello", newest) is None
    ended = await written(store)
    assert (ended.phase, ended.ended_at, ended.reason) == (Phase.COMPLETE, 101.0, "1 node serves version 1")


async def test_a_stale_view_ends_nothing(store: Store) -> None:
    revision = await store.commit([], [Put(PATH, codec.encode(STARTED))])
    await store.commit([], [Put(PATH, codec.encode(STARTED))])
    with pytest.raises(Conflict):
        await controller(store).reconcile("hello", view(revision, NodeReport("tokyo-1", "i", revision, (STATUS,))))
    assert (await written(store)).phase is Phase.PROGRESSING


async def test_a_deployment_in_progress_is_looked_at_again_at_its_deadline(store: Store) -> None:
    assert await controller(store, now=130.0).reconcile("hello", view(5)) == 30.0
    assert await controller(store).reconcile("nobody", view(5)) is None


async def test_an_ended_deployment_is_left_alone(store: Store) -> None:
    ended = Deployment("hello", 1, (Share(1, 100),), (), Phase.COMPLETE, "done", 100.0, "r", 101.0)
    assert await controller(store, now=1e9).reconcile("hello", view(5, deployment=ended)) is None


def test_changes_of_nodes_concern_what_is_in_progress(store: Store) -> None:
    deployments = controller(store)
    for key, expected in (
        (Key(Kind.DEPLOYMENTS, "x"), ["x"]),
        (Key(Kind.HEALTH, "tokyo-1"), ["hello"]),
        (Key(Kind.NODES, "tokyo-1"), ["hello"]),
        (Key(Kind.MANIFESTS, "d"), []),
    ):
        assert list(deployments.concerned(key, view(5))) == expected
    assert list(deployments.everything(view(5))) == ["hello"]


GRADUAL = Deployment(
    "hello", 1, (Share(1, 100), Share(2, 0)), (Share(1, 100),), Phase.PROGRESSING, "", 100.0, "r",
    rollout=Rollout(2, 1, Gradual((10, 100), 30.0), step_at=100.0),
)  # fmt: skip


async def test_any_leader_goes_on_at_the_right_step(store: Store) -> None:
    """Each visit is another controller, as after the death of the one before: what it goes by is in the record."""
    record, seen = GRADUAL, []
    for now, again in ((101.0, 0.05), (102.0, 30.0), (131.0, 1.0), (132.0, 0.05), (133.0, None)):
        revision = await store.commit([], [Put(PATH, codec.encode(record))])
        newest = view(revision, NodeReport("tokyo-1", "i", revision, (STATUS,)), deployment=record)
        assert await controller(store, now).reconcile("hello", newest) == again
        record = await written(store)
        seen.append((record.shares[-1].percent, record.phase))
    assert seen == [(10, Phase.PROGRESSING)] * 3 + [(100, Phase.PROGRESSING), (100, Phase.COMPLETE)]
    assert [share.version for share in record.shares] == [2]
    assert len((await store.list("/nearhop/events/")).items) == 1  # of its end
