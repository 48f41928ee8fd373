"""What a route says of its function."""

from dataclasses import replace

import pytest

from node.plan import routes
from node.plan.records import Assets, Dialect, Limits, Manifest, PathRoute, Placement, RateLimit, Route, Version

LIMITS = Limits(wall_ms=900, request_body_bytes=10, concurrency=2)
PLACEMENT = Placement(
    "a", 5, ("a.nearhop.test", "a.example.org"), LIMITS, None,
    routes=(PathRoute("x.example.org", "/api"),), rate_limit=RateLimit(3, 60), cache_epoch=4,
)  # fmt: skip
ROUTE = Route("a", 3, 1, 900)


def version(assets: Assets | None = None, dialect: Dialect = Dialect.WORKERS) -> Version:
    return Version(3, "d" * 64, 10, dialect, Manifest(assets=assets))


def test_a_route_has_all_its_functions_names() -> None:
    assert routes.table(PLACEMENT, ROUTE, "nearhop.test") == dict.fromkeys(
        ("a.nearhop.test", "a.example.org", "x.example.org/api", "v3--a.nearhop.test"), ROUTE
    )
    assert "v0--a.nearhop.test" not in routes.table(PLACEMENT, replace(ROUTE, version=0), "nearhop.test")
    assert len(routes.table(PLACEMENT, ROUTE, "")) == 3


def test_each_version_of_a_split_has_a_name() -> None:
    new = replace(ROUTE, version=4)
    split = replace(ROUTE, shares=((100, ROUTE), (0, new)))
    found = routes.table(PLACEMENT, split, "nearhop.test")
    assert (found["v3--a.nearhop.test"], found["v4--a.nearhop.test"]) == (ROUTE, new)
    assert found["a.nearhop.test"] == split


def test_limits_come_from_the_placement() -> None:
    done = routes.complete(ROUTE, PLACEMENT, None)
    assert done == replace(
        ROUTE, request_body_bytes=10, concurrency=2, rate_limit=RateLimit(3, 60), cache_epoch=4, assets="", static=False
    )


@pytest.mark.parametrize(
    ("assets", "dialect", "before", "static"),
    [
        (Assets("f" * 64, 9), Dialect.WORKERS, True, False),
        (Assets("f" * 64, 9, program_first=True), Dialect.WORKERS, False, False),
        (Assets("f" * 64, 9, program_first=True), Dialect.STATIC, True, True),
        (None, Dialect.WORKERS, False, False),
    ],
)
def test_files_answer_first_unless_the_program_wants_to(
    assets: Assets | None, dialect: Dialect, before: bool, static: bool
) -> None:
    done = routes.complete(ROUTE, PLACEMENT, version(assets, dialect))
    assert (done.assets, done.static) == ("f" * 64 if before else "", static)


def test_patterns_leave_files_to_the_program() -> None:
    paths = ("/", "/api/x", "/api/docs/y", "/apix")
    whole = Assets("f" * 64, 9)
    some = replace(whole, program_first_paths=("/api/*", "!/api/docs/*"))
    assert routes.answered(whole, paths) == frozenset(paths)
    assert routes.answered(some, paths) == {"/", "/api/docs/y", "/apix"}
    assert routes.asset_set(whole) == "f" * 64
    assert routes.asset_set(some).startswith("f" * 64 + "-")
    assert routes.asset_set(some) != routes.asset_set(replace(whole, program_first_paths=("/api/*",)))
    assert routes.complete(ROUTE, PLACEMENT, version(some)).assets == routes.asset_set(some)
