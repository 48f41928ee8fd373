from hypothesis import given
from hypothesis import strategies as st

from nearhop.v1 import common_pb2
from nearhop.v1 import node_control_pb2 as pb
from node.agent import codec
from node.plan.records import Dialect, Good, Limits, Version
from node.plan.status import PlacementStatus, Progress

DIGEST = "a" * 64


def placed(**changes: object) -> pb.PlacedVersion:
    fields: dict[str, object] = {
        "number": 3,
        "digest": DIGEST,
        "size_bytes": 10,
        "dialect": common_pb2.DIALECT_DENO,
        "percent": 100,
    }
    return pb.PlacedVersion(**(fields | changes))  # type: ignore[arg-type]


def placement(*versions: pb.PlacedVersion, **changes: object) -> pb.Placement:
    fields: dict[str, object] = {"function": "hello", "generation": 2, "hostnames": ["hello.example.org"]}
    return pb.Placement(versions=versions, **(fields | changes))  # type: ignore[arg-type]


def test_reads_a_placement_and_fills_the_defaults_in() -> None:
    read = codec.placement(placement(placed(), limits=common_pb2.Limits(cpu_ms=10)))
    assert read.version == Version(3, DIGEST, 10, Dialect.DENO)
    assert (read.limits, read.problem) == (Limits(10, 128, 30_000), "")


def test_the_greatest_share_is_served() -> None:
    read = codec.placement(placement(placed(number=1, percent=30), placed(number=2, percent=70)))
    assert read.version is not None
    assert read.version.number == 2
    assert codec.placement(placement(placed(percent=0))).version is None
    assert codec.placement(placement()).version is None


def test_what_cannot_be_carried_out_is_a_problem_of_that_placement_alone() -> None:
    bad = {
        "digest": placement(placed(digest="../../etc/passwd")),
        "dialect": placement(placed(dialect=9)),
        "size": placement(placed(size_bytes=1 << 40)),
        "number": placement(placed(number=0)),
        "function": placement(placed(), function="Has Space\n"),
        "hostname": placement(placed(), hostnames=["a b"]),
    }
    for name, message in bad.items():
        read = codec.placement(message)
        assert read.version is None, name
        assert read.problem, name
    snapshot = codec.snapshot(
        pb.Snapshot(revision=4, placements=[bad["dialect"], placement(placed(), function="other")])
    )
    assert [item.version is None for item in snapshot.placements] == [True, False]


def test_duplicates_and_hostnames_that_are_none_are_dropped() -> None:
    twice = pb.Snapshot(placements=[placement(placed()), placement(placed(number=9))])
    [only] = codec.snapshot(twice).placements
    assert only.version is not None
    assert only.version.number == 3
    assert codec.placement(placement(placed(), hostnames=["a.example.org", "a.example.org", "x y z"])).hostnames == (
        "a.example.org",
    )


def test_limits_have_a_ceiling() -> None:
    huge = codec.limits(common_pb2.Limits(cpu_ms=2**32 - 1, memory_mib=2**32 - 1, wall_ms=2**32 - 1))
    assert huge == Limits(60_000, 4096, 3_600_000)


@given(st.binary(max_size=300))
def test_any_message_is_read_or_is_not_a_message(data: bytes) -> None:
    try:
        message = pb.Snapshot.FromString(data)
    except Exception:  # noqa: BLE001  # protobuf's own refusal; what follows is ours
        return
    codec.snapshot(message)


def test_statuses() -> None:
    [status] = codec.statuses([PlacementStatus("hello", 2, Progress.REFUSED, 1, "threw")])
    assert status == pb.PlacementStatus(
        function="hello", generation=2, state=pb.PlacementStatus.STATE_REFUSED, active_version=1, error="threw"
    )


def test_good_round_trip() -> None:
    good = {"hello": Good(Version(3, DIGEST, 10, Dialect.WORKERS), Limits(1, 2, 3))}
    assert codec.good_from_json(codec.good_to_json(good)) == good  # type: ignore[arg-type]
