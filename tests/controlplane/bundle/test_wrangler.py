"""Wrangler's configuration as it is written for Cloudflare."""

import contextlib
import json
import tomllib
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from controlplane.bundle import wrangler
from controlplane.bundle.errors import UnusableSource
from controlplane.bundle.settings import AssetSettings, Settings
from nearhop.spec import RateLimiter

FULL = """
"$schema" = "node_modules/wrangler/config-schema.json"
name = "my-shop"
main = "src/index.ts"
compatibility_date = "2025-01-31"
compatibility_flags = ["nodejs_compat"]
account_id = "0123"
workers_dev = true
routes = [
  "shop.example.org/*",
  { pattern = "www.example.org", custom_domain = true },
  { pattern = "example.org/api/*", zone_name = "example.org" },
  { pattern = "https://example.org/old*", zone_id = "1" },
]
route = "one.example.org/*"

[vars]
CURRENCY = "EUR"

[triggers]
crons = ["*/5 * * * *", "0 0 * * 1"]

[limits]
cpu_ms = 100
subrequests = 20

[assets]
directory = "./public"
binding = "ASSETS"
html_handling = "force-trailing-slash"
not_found_handling = "404-page"
run_worker_first = ["/api/*", "!/api/docs/*"]

[[ratelimits]]
name = "LIMITER"
namespace_id = "1001"
simple = { limit = 100, period = 60 }

[[unsafe.bindings]]
name = "OLD_LIMITER"
type = "ratelimit"
namespace_id = "1002"
simple = { limit = 5, period = 10 }

[version_metadata]
binding = "VERSION"
"""


def read(table: dict[str, Any], environment: str | None = None) -> Settings:
    return wrangler.read("wrangler.toml", table, environment)


def test_a_configuration_in_full() -> None:
    assert read(tomllib.loads(FULL)) == Settings(
        name="my-shop",
        main="src/index.ts",
        vars={"CURRENCY": "EUR"},
        crons=("*/5 * * * *", "0 0 * * 1"),
        rate_limiters=(RateLimiter("LIMITER", 100, 60), RateLimiter("OLD_LIMITER", 5, 10)),
        assets=AssetSettings(
            "./public", "ASSETS", "force-trailing-slash", "404-page", program_first_paths=("/api/*", "!/api/docs/*")
        ),
        hostnames=("one.example.org", "shop.example.org", "www.example.org"),
        routes=(("example.org", "/api/"), ("example.org", "/old")),
        cpu_ms=100,
        subrequests=20,
        version_binding="VERSION",
        compatibility_date="2025-01-31",
        compatibility_flags=("nodejs_compat",),
    )


def test_an_empty_one_says_nothing() -> None:
    assert read({}) == Settings()
    assert read({"kv_namespaces": [], "durable_objects": {}, "site": None, "triggers": {}}) == Settings()


@pytest.mark.parametrize(
    ("table", "warning"),
    [
        ({"observability": {"enabled": True}}, "wrangler.toml: observability: is not honored here"),
        ({"placement": {"mode": "smart"}}, "wrangler.toml: placement: is not honored here"),
        ({"build": {"command": "make"}}, "wrangler.toml: build: is not honored here"),
        ({"limits": {"memory": 1}}, "wrangler.toml: limits.memory: is not honored here"),
        ({"assets": {"directory": "x", "experimental": 1}}, "wrangler.toml: assets.experimental: is not honored here"),
        ({"unsafe": {"metadata": {"x": 1}}}, "wrangler.toml: unsafe.metadata: is not honored here"),
        ({"triggers": {"other": 1}}, "wrangler.toml: triggers.other: is not honored here"),
        ({"env": {"staging": {}}}, "no environment is chosen"),
        (
            {
                "main": "a.ts",
                "compatibility_date": "2025-04-01",
                "assets": {"directory": "x", "not_found_handling": "404-page"},
            },
            "assets.not_found_handling: a path without a file goes to the program",
        ),
        (
            {"ratelimits": [{"name": "L", "simple": {"limit": 1, "period": 10}, "colour": 1}]},
            "ratelimits[0].colour: is not honored here",
        ),
    ],
)
def test_what_is_not_honored_is_a_warning_with_file_and_key(table: dict[str, Any], warning: str) -> None:
    [said] = read(table).warnings
    assert warning in said


@pytest.mark.parametrize(
    ("table", "error"),
    [
        ({"durable_objects": {"bindings": [{"name": "X"}]}}, "durable_objects: the platform has no such binding"),
        ({"kv_namespaces": [{"binding": "KV"}]}, "kv_namespaces: the platform has no such binding"),
        ({"d1_databases": [{"binding": "DB"}]}, "d1_databases: "),
        ({"r2_buckets": [{"binding": "B"}]}, "r2_buckets: "),
        ({"queues": {"producers": [{}]}}, "queues: "),
        ({"services": [{"binding": "S"}]}, "services: "),
        ({"ai": {"binding": "AI"}}, "ai: "),
        ({"site": {"bucket": "x"}}, "site: Workers Sites are not offered"),
        ({"define": {"X": "1"}}, "define: "),
        ({"unsafe": {"bindings": [{"name": "X", "type": "dynamic"}]}}, "unsafe.bindings[0].type: "),
        ({"unsafe": {"bindings": [{"name": "X"}]}}, "unsafe.bindings[0].type: "),
        ({"name": 1}, "name: must be a text"),
        ({"main": ""}, "main: must be a text"),
        ({"vars": {"N": 1}}, "vars.N: must be a text"),
        ({"vars": []}, "vars: must be a table"),
        ({"triggers": {"crons": "x"}}, "triggers.crons: must be a list of texts"),
        ({"triggers": {"crons": ["* * *"]}}, 'triggers.crons: "* * *" has not five fields'),
        ({"limits": {"cpu_ms": -1}}, "limits.cpu_ms: must be a positive whole number"),
        ({"limits": {"cpu_ms": True}}, "limits.cpu_ms: must be a positive whole number"),
        ({"assets": {}}, "assets.directory: is missing"),
        ({"assets": {"directory": "x", "html_handling": "x"}}, "assets.html_handling: must be one of auto-"),
        ({"assets": {"directory": "x", "binding": "a-b"}}, "assets.binding: must be a name"),
        ({"assets": {"directory": "x", "run_worker_first": "yes"}}, "assets.run_worker_first: must be true"),
        ({"assets": {"directory": "x", "run_worker_first": ["api"]}}, "assets.run_worker_first: must be true"),
        ({"ratelimits": [1]}, "ratelimits: must be a list of tables"),
        ({"ratelimits": [{"name": "L"}]}, "ratelimits[0].simple: a rate limiter needs"),
        ({"ratelimits": [{"simple": {"limit": 1, "period": 10}}]}, "ratelimits[0].simple: a rate limiter needs"),
        ({"ratelimits": [{"name": "L", "simple": {"limit": 1, "period": 7}}]}, "ratelimits[0].simple: "),
        ({"version_metadata": {}}, "version_metadata.binding: must be a name"),
        ({"routes": "x"}, "routes: must be a list"),
        ({"routes": ["*.example.org/*"]}, "a * in the host is not offered"),
        ({"routes": [1]}, "is no pattern"),
        ({"routes": [{}]}, "is no pattern"),
        ({"routes": ["exam_ple.org/*"]}, "may hold only"),
        ({"routes": ["example.org/x"]}, "is one path alone"),
        ({"routes": ["example.org/a*b*"]}, "is one path alone"),
        ({"routes": ["example.org"]}, "is one path alone"),
        ({"route": {"pattern": "example.org/x", "custom_domain": True}}, "a custom domain has no path"),
        ({"compatibility_flags": "x"}, "compatibility_flags: must be a list of texts"),
    ],
)
def test_what_changes_the_meaning_or_is_wrong_is_an_error(table: dict[str, Any], error: str) -> None:
    with pytest.raises(UnusableSource) as caught:
        read(table)
    assert error in str(caught.value)
    assert str(caught.value).startswith("wrangler.toml: ")


def test_all_errors_are_told_at_once() -> None:
    with pytest.raises(UnusableSource) as caught:
        read({"name": 1, "kv_namespaces": [{}], "limits": {"cpu_ms": "x"}})
    assert len(str(caught.value).splitlines()) == 3


def test_an_environment_takes_over_what_wrangler_lets_it() -> None:
    table = {
        "name": "shop",
        "main": "a.ts",
        "vars": {"A": "1"},
        "limits": {"cpu_ms": 9},
        "version_metadata": {"binding": "V"},
        "env": {"staging": {"vars": {"B": "2"}}, "live": {"name": "live-shop", "main": "b.ts"}},
    }
    staging = read(table, "staging")
    assert (staging.name, staging.main, staging.vars, staging.cpu_ms) == ("shop-staging", "a.ts", {"B": "2"}, 9)
    assert (staging.version_binding, staging.warnings) == ("", ())
    live = read(table, "live")
    assert (live.name, live.main, live.vars) == ("live-shop", "b.ts", {})
    assert read({"env": {"x": {}}}, "x").name is None


@pytest.mark.parametrize("environments", [{"b": {}, "a": {}}, None, [], {"x": 1}])
def test_an_unknown_environment_is_told_with_the_known_ones(environments: Any) -> None:
    there = {"b": "a, b", "x": "x"}.get(next(iter(environments or "-")), "none")
    with pytest.raises(UnusableSource, match=f"no environment x; there is {there}"):
        read({"env": environments}, "x")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["name", "main", "vars", "routes", "route", "assets", "limits", "triggers", "ratelimits", "unsafe", "env", "version_metadata",
     "compatibility_date", "kv_namespaces", "directory", "binding", "run_worker_first", "crons", "bindings", "simple", "pattern", "x"]
)  # fmt: skip
INNER = st.dictionaries(KEYS, JSON, max_size=3)
TABLES = st.dictionaries(KEYS, JSON | INNER | st.lists(INNER, max_size=2), max_size=5)


@bounded(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TABLES, st.none() | st.just("x"))
def test_no_table_raises_anything_else(table: dict[str, Any], environment: str | None) -> None:
    with contextlib.suppress(UnusableSource):
        assert isinstance(read(table, environment), Settings)


def test_the_schema_is_json_too() -> None:
    assert read(json.loads(json.dumps(tomllib.loads(FULL)))) == read(tomllib.loads(FULL))
