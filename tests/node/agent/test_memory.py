import json
from pathlib import Path

import pytest

from nearhop.spec import Dialect, Limits
from nearhop.v1 import node_control_pb2 as pb
from node.agent import spool
from node.agent.memory import Memory
from node.agent.sealing import KEY_FILE
from node.plan.records import Good, Version

SNAPSHOT = pb.Snapshot(
    revision=3, placements=[pb.Placement(function="hello", secrets=[pb.Secret(name="TOKEN", value="a-secret")])]
)


def good(number: int) -> Good:
    return Good(Version(number, f"{number:064x}", 10, Dialect.DENO), Limits(cpu_ms=number))


def asides(state: Path) -> list[str]:
    return sorted(file.name.partition(".corrupt-")[0] for file in state.glob("*.corrupt-*"))


def spilled(state: Path, text: bytes) -> list[str]:
    return [file.name for file in state.iterdir() if text in file.read_bytes()]


def test_a_new_node_remembers_nothing(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    assert (memory.snapshot(), memory.good(), memory.awake()) == (None, {}, frozenset())
    assert list(tmp_path.iterdir()) == []


async def test_the_next_agent_knows_what_this_one_kept(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    await memory.keep_snapshot(SNAPSHOT)
    await memory.keep_good({"hello": good(1), "hello@2": good(2)})
    await memory.keep_awake({"hello@2", "hello"})
    after = Memory(tmp_path)
    assert after.snapshot() == SNAPSHOT
    assert after.good() == {"hello": good(1), "hello@2": good(2)}
    assert after.awake() == {"hello", "hello@2"}
    assert not spilled(tmp_path, b"a-secret")
    assert asides(tmp_path) == []


async def test_only_what_is_good_now_is_kept(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    a = good(1)
    await memory.keep_good({"a": a, "b": good(2), "c": good(3)})
    await memory.keep_good({"a": a, "b": good(9)})
    assert Memory(tmp_path).good() == {"a": good(1), "b": good(9)}
    await memory.keep_good({})
    assert Memory(tmp_path).good() == {}


async def test_what_cannot_be_written_yet_is_written_later(tmp_path: Path) -> None:
    state = tmp_path / "state"
    memory = Memory(state)
    await memory.keep_awake({"a"})
    assert Memory(state).awake() == frozenset()
    state.mkdir()
    await memory.retry()
    assert Memory(state).awake() == {"a"}


async def test_a_snapshot_whose_secrets_cannot_be_sealed_is_not_spooled(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).mkdir()
    await Memory(tmp_path).keep_snapshot(SNAPSHOT)
    assert Memory(tmp_path).snapshot() is None


@pytest.mark.parametrize("harm", ["not whole", "not what it should be"])
async def test_what_is_damaged_is_set_aside_and_the_rest_is_read(tmp_path: Path, harm: str) -> None:
    memory = Memory(tmp_path)
    await memory.keep_snapshot(SNAPSHOT)
    await memory.keep_awake({"hello"})
    for name in ("snapshot.pb", "good.json"):
        if harm == "not whole":
            (tmp_path / name).write_bytes(b"half a fi")
        else:
            spool.write(tmp_path / name, b"\xff\xff\xff")
    assert (Memory(tmp_path).snapshot(), Memory(tmp_path).good(), Memory(tmp_path).awake()) == (None, {}, {"hello"})
    assert asides(tmp_path) == ["good.json", "snapshot.pb"]


@pytest.mark.parametrize("content", [3, None, {"hello": 3}, {"hello": {"number": "x"}}, [1]])
def test_json_of_another_shape_is_no_good(tmp_path: Path, content: object) -> None:
    spool.write(tmp_path / "good.json", json.dumps(content).encode())
    assert Memory(tmp_path).good() == {}
    assert asides(tmp_path) == ["good.json"]


def test_a_number_names_no_functions(tmp_path: Path) -> None:
    spool.write(tmp_path / "awake.json", b"3")
    assert Memory(tmp_path).awake() == frozenset()
    assert asides(tmp_path) == ["awake.json"]
