import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearhop.spec import (
    Assets,
    Dialect,
    EdgeRoute,
    HtmlHandling,
    Limits,
    Manifest,
    NotFoundHandling,
    PathRoute,
    RateLimit,
    RateLimiter,
)
from nearhop.v1 import common_pb2
from nearhop.v1 import node_control_pb2 as pb
from node.agent import codec
from node.plan.records import Good, Part, Version, sandbox_spec
from node.plan.status import PlacementStatus, Progress, VersionStatus

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


def test_the_first_version_is_the_functions_own_and_the_others_stand_beside_it() -> None:
    read = codec.placement(placement(placed(number=1, percent=30), placed(number=2, percent=70)))
    assert read.version == Version(1, DIGEST, 10, Dialect.DENO)
    assert read.beside == (Part(Version(2, DIGEST, 10, Dialect.DENO), 70),)
    assert [version.number for version in read.versions] == [1, 2]
    [side] = read.sides()
    assert (side.lane, side.hostnames, side.version) == ("hello@2", (), read.beside[0].version)
    assert codec.placement(placement(placed(percent=0))).version is None
    assert codec.placement(placement()).version is None


@pytest.mark.parametrize(
    ("versions", "problem"),
    [
        ((placed(number=1, percent=30), placed(number=2, percent=60)), "the versions' shares sum to 90, not to 100"),
        ((placed(number=1, percent=30), placed(number=1, percent=70)), "a version stands there twice"),
        (tuple(placed(number=n + 1, percent=100 * (n == 0)) for n in range(9)), "9 versions are more than 8"),
    ],
)
def test_shares_that_make_no_sense_are_a_problem(versions: tuple[pb.PlacedVersion, ...], problem: str) -> None:
    read = codec.placement(placement(*versions))
    assert (read.problem, read.version, read.beside) == (problem, None, ())


def test_a_status_tells_of_each_version() -> None:
    told = VersionStatus(2, {"exception": 3}, breaker_open=True)
    [message] = codec.statuses([PlacementStatus("a", 1, Progress.ACTIVE, 1, versions=(told,))])
    [version] = message.versions
    assert (version.number, dict(version.failures), version.breaker_open) == (2, {"exception": 3}, True)


def test_what_cannot_be_carried_out_is_a_problem_of_that_placement_alone() -> None:
    bad = {
        "digest": placement(placed(digest="../../etc/passwd")),
        "dialect": placement(placed(dialect=9)),
        "size": placement(placed(size_bytes=1 << 40)),
        "number": placement(placed(number=0)),
        "function": placement(placed(), function="Has Space\n"),
        "hostname": placement(placed(), hostnames=["a b"]),
        "route": placement(placed(), routes=[common_pb2.PathRoute(hostname="a.example.org", path="/a b")]),
        "assets": placement(placed(manifest=common_pb2.Manifest(assets=common_pb2.Assets(digest="no")))),
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
    most = codec.limits(
        common_pb2.Limits(
            subrequests=2**32 - 1, request_body_bytes=2**64 - 1, concurrency=2**32 - 1, instances=2**32 - 1
        )
    )
    assert most == Limits(50, 128, 30_000, 10_000, 512 << 20, 10_000, 64)


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
    assets = Assets(DIGEST, 5, "ASSETS", HtmlHandling.NONE, NotFoundHandling.PAGE_404, True, ("/api/*",))
    manifest = Manifest(
        {"A": "b"},
        ("S",),
        ("0 * * * *",),
        (RateLimiter("L", 5, 10),),
        assets,
        ("fetch",),
        edge_routes=(EdgeRoute("/a", "a"),),
    )
    good = {"hello": Good(Version(3, DIGEST, 10, Dialect.WORKERS, manifest, 4.5), Limits(1, 2, 3, 4, 5, 6, 7))}
    assert codec.good_from_json(json.loads(json.dumps(codec.good_to_json(good)))) == good


def test_good_of_an_older_agent_is_still_read() -> None:
    raw = {
        "number": 3,
        "digest": DIGEST,
        "size_bytes": 10,
        "dialect": "deno",
        "cpu_ms": 1,
        "memory_mib": 2,
        "wall_ms": 3,
    }
    assert codec.good_from_json({"hello": raw}) == {
        "hello": Good(Version(3, DIGEST, 10, Dialect.DENO), Limits(1, 2, 3))
    }


@pytest.mark.parametrize("raw", [{}, {"number": "x"}, None, 3])
def test_what_is_not_good_is_refused(raw: object) -> None:
    with pytest.raises((ValueError, TypeError, AttributeError)):
        codec.good_from_json({"hello": raw})  # type: ignore[dict-item]


def test_a_placement_with_all_that_it_may_bring() -> None:
    manifest = common_pb2.Manifest(
        vars={"GREETING": "hello", "BOTH": "var"},
        secrets=["TOKEN", "BOTH"],
        crons=["0 * * * *"],
        assets=common_pb2.Assets(
            digest=DIGEST,
            size_bytes=7,
            binding="ASSETS",
            html_handling=common_pb2.Assets.HTML_HANDLING_DROP_TRAILING_SLASH,
            not_found_handling=common_pb2.Assets.NOT_FOUND_HANDLING_SINGLE_PAGE_APPLICATION,
        ),
    )
    read = codec.placement(
        placement(
            placed(manifest=manifest, dialect=common_pb2.DIALECT_VERCEL, created_at=12.5),
            routes=[common_pb2.PathRoute(hostname="www.example.org", path="/shop")] * 2,
            rate_limit=common_pb2.RateLimit(requests=9),
            cache_epoch=4,
            secrets=[pb.Secret(name=name, value=f"{name} value") for name in ("BOTH", "OTHER", "TOKEN")],
        )
    )
    assert read.problem == ""
    assert (read.routes, read.rate_limit, read.cache_epoch) == (
        (PathRoute("www.example.org", "/shop"),),
        RateLimit(9, 10),
        4,
    )
    assert read.version is not None
    assert (read.version.dialect, read.version.created_at) == (Dialect.VERCEL, 12.5)
    assert read.version.manifest.assets == Assets(
        DIGEST, 7, "ASSETS", HtmlHandling.DROP_TRAILING_SLASH, NotFoundHandling.SINGLE_PAGE_APPLICATION
    )
    spec = sandbox_spec(read, read.version, read.limits)
    assert spec.env == {"GREETING": "hello", "BOTH": "BOTH value", "TOKEN": "TOKEN value"}
    assert "value" not in f"{spec} {read}"
    assert hash(spec) == hash(sandbox_spec(read, read.version, read.limits))


def test_statuses_tell_overruns() -> None:
    [status] = codec.statuses([PlacementStatus("hello", 2, Progress.ACTIVE, 1, "", {"exceeded_cpu": 3}, True)])
    assert (status.overruns["exceeded_cpu"], status.breaker_open) == (3, True)
