from collections.abc import Mapping
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from controlplane.api import policy_codec
from controlplane.model import RoutingPolicy
from nearhop.v1 import common_pb2

counts = st.integers(0, 2**32 - 1)
for primitive, strategy in ((str, st.text(max_size=6)), (int, counts), (float, st.floats(-90, 90))):
    st.register_type_strategy(primitive, strategy)
st.register_type_strategy(
    Mapping, lambda kind: st.dictionaries(*(st.from_type(part) for part in get_args(kind)), max_size=2)
)


@given(st.from_type(RoutingPolicy).filter(lambda policy: policy.answers > 0))
def test_a_routing_policy_survives_the_round_trip(record: RoutingPolicy) -> None:
    assert policy_codec.read_routing(policy_codec.routing(record)) == record


def test_what_is_unknown_is_the_default() -> None:
    assert policy_codec.read_routing(common_pb2.RoutingPolicy()) == RoutingPolicy()
