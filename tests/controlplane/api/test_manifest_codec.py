from collections.abc import Mapping
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from controlplane.api import manifest_codec
from controlplane.model import Assets, EdgeRoute, Manifest, PathRoute, RateLimit, RateLimiter, RoutingPolicy
from nearhop.v1 import common_pb2

text = st.text(max_size=6)
counts = st.integers(0, 2**32 - 1)
degrees = st.floats(-90, 90)
for primitive, strategy in ((str, text), (int, counts), (float, degrees)):
    st.register_type_strategy(primitive, strategy)
st.register_type_strategy(
    Mapping, lambda kind: st.dictionaries(*(st.from_type(part) for part in get_args(kind)), max_size=2)
)


@given(st.from_type(Manifest))
def test_a_manifest_survives_the_round_trip(record: Manifest) -> None:
    assert manifest_codec.read_manifest(manifest_codec.manifest(record)) == record


@given(st.from_type(RoutingPolicy).filter(lambda policy: policy.answers > 0))
def test_a_routing_policy_survives_the_round_trip(record: RoutingPolicy) -> None:
    assert manifest_codec.read_routing(manifest_codec.routing(record)) == record


def test_a_full_manifest() -> None:
    record = Manifest(
        {"A": "1"}, ("S",), ("* * * * *",), (RateLimiter("L", 1, 10),), Assets("d", 3), ("fetch",), "2026-01-01", ("x",),
        ("/a",), (EdgeRoute("/a", "a"),), "VERSION",
    )  # fmt: skip
    assert manifest_codec.read_manifest(manifest_codec.manifest(record)) == record


def test_what_is_unknown_is_the_default() -> None:
    assert manifest_codec.read_manifest(common_pb2.Manifest()) == Manifest()
    assert manifest_codec.read_routing(common_pb2.RoutingPolicy()) == RoutingPolicy()
    odd = common_pb2.Assets(digest="d", html_handling=77, not_found_handling=77)  # type: ignore[arg-type]
    assert manifest_codec.read_assets(odd) == Assets("d", 0)
    assert manifest_codec.routes((PathRoute("a", "/b"),)) == [common_pb2.PathRoute(hostname="a", path="/b")]
    assert manifest_codec.rate_limit(RateLimit(5, 60)) == common_pb2.RateLimit(requests=5, period_s=60)
