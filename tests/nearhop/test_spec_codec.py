import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearhop import spec_codec
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

text = st.text(max_size=6)
texts = st.lists(text, max_size=2).map(tuple)
counts = st.integers(1, 2**32 - 1)
LIMITS = st.builds(Limits, *(counts for _ in dataclasses.fields(Limits)))
ASSETS = st.builds(
    Assets,
    text,
    st.integers(0, 2**64 - 1),
    text,
    st.sampled_from(HtmlHandling),
    st.sampled_from(NotFoundHandling),
    st.booleans(),
    texts,
)
MANIFESTS = st.builds(
    Manifest,
    st.dictionaries(text, text, max_size=2),
    texts,
    texts,
    st.lists(st.builds(RateLimiter, text, counts, counts), max_size=2).map(tuple),
    st.none() | ASSETS,
    texts,
    text,
    texts,
    texts,
    st.lists(st.builds(EdgeRoute, text, text), max_size=2).map(tuple),
    text,
)


@given(MANIFESTS)
def test_a_manifest_survives_the_round_trip(record: Manifest) -> None:
    assert spec_codec.read_manifest(spec_codec.manifest(record)) == record


@given(LIMITS)
def test_limits_survive_the_round_trip(record: Limits) -> None:
    assert spec_codec.read_limits(spec_codec.limits(record)) == record


@given(st.builds(RateLimit, st.integers(0, 2**32 - 1), counts))
def test_a_rate_limit_survives_the_round_trip(record: RateLimit) -> None:
    assert spec_codec.read_rate_limit(spec_codec.rate_limit(record)) == record


@given(st.lists(st.builds(PathRoute, text, text), max_size=3))
def test_path_routes_survive_the_round_trip(records: list[PathRoute]) -> None:
    assert spec_codec.read_routes(spec_codec.routes(records)) == records


def filled(message: Any) -> set[str]:
    return {field.name for field, _ in message.ListFields()}


# A field that the contract has and the codec forgets would be lost without a word.
@pytest.mark.parametrize(
    ("render", "record"),
    [
        (spec_codec.limits, Limits(1, 2, 3, 4, 5, 6, 7)),
        (spec_codec.rate_limit, RateLimit(1, 2)),
        (
            spec_codec.manifest,
            Manifest(
                {"A": "1"},
                ("S",),
                ("* * * * *",),
                (RateLimiter("L", 1, 10),),
                Assets("d", 3, "A", HtmlHandling.NONE, NotFoundHandling.PAGE_404, True, ("/a",)),
                ("fetch",),
                "2026-01-01",
                ("x",),
                ("/a",),
                (EdgeRoute("/a", "a"),),
                "VERSION",
            ),
        ),
    ],
)
def test_every_field_of_the_contract_is_filled(render: Callable[[Any], Any], record: Any) -> None:
    message = render(record)
    assert filled(message) == set(message.DESCRIPTOR.fields_by_name)
    if isinstance(message, common_pb2.Manifest):
        for part in (message.assets, message.rate_limiters[0], message.edge_routes[0]):
            assert filled(part) == set(part.DESCRIPTOR.fields_by_name)


def test_every_kind_that_the_contract_knows_has_a_record() -> None:
    assert set(spec_codec.DIALECTS) == set(Dialect)
    assert set(spec_codec.DIALECT_OF) == set(common_pb2.Dialect.values()) - {common_pb2.DIALECT_UNSPECIFIED}
    html, missing = common_pb2.Assets.HtmlHandling, common_pb2.Assets.NotFoundHandling
    assert handlings("html_handling", html.values()) == set(HtmlHandling)
    assert handlings("not_found_handling", missing.values()) == set(NotFoundHandling)


def handlings(field: str, numbers: list[int]) -> set[object]:
    assets = [common_pb2.Assets(**{field: number}) for number in numbers]  # type: ignore[arg-type]
    return {getattr(spec_codec.read_manifest(common_pb2.Manifest(assets=each)).assets, field) for each in assets}


def test_what_is_absent_or_unknown_is_the_default() -> None:
    assert spec_codec.read_manifest(common_pb2.Manifest()) == Manifest()
    odd = common_pb2.Assets(digest="d", html_handling=77, not_found_handling=77)  # type: ignore[arg-type]
    assert spec_codec.read_manifest(common_pb2.Manifest(assets=odd)).assets == Assets("d", 0)
    assert spec_codec.read_rate_limit(common_pb2.RateLimit(requests=5)) == RateLimit(5, 10)


def test_a_limit_that_is_not_named_is_the_default_or_the_one_before() -> None:
    assert spec_codec.read_limits(common_pb2.Limits()) == Limits()
    assert spec_codec.read_limits(common_pb2.Limits(cpu_ms=7)) == Limits(cpu_ms=7)
    before = Limits(1, 2, 3, 4, 5, 6, 7)
    assert spec_codec.read_limits(common_pb2.Limits(wall_ms=9), before) == Limits(1, 2, 9, 4, 5, 6, 7)
