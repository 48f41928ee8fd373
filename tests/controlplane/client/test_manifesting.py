"""What a bundle brings with it, as messages and as sentences."""

from dataclasses import replace

from controlplane.bundle.assets import AssetPack
from controlplane.bundle.bundler import Bundle
from controlplane.bundle.settings import AssetSettings, Settings
from controlplane.client import manifesting
from nearhop.spec import Dialect, EdgeRoute, RateLimiter
from nearhop.v1 import common_pb2, functions_pb2

PACK = AssetPack(b"pack", "d" * 64, 3, 1234, warnings=("public: hidden",))
SETTINGS = Settings(
    vars={"A": "secret text"},
    crons=("* * * * *",),
    rate_limiters=(RateLimiter("L", 5, 10),),
    assets=AssetSettings("public", "FILES", "none", "404-page", program_first_paths=("/api/*",)),
    hostnames=("shop.example.org",),
    routes=(("example.org", "/api/"),),
    cpu_ms=100,
    version_binding="V",
    compatibility_date="2026-01-01",
    compatibility_flags=("f",),
    matchers=("/m",),
    edge_routes=(EdgeRoute("/api/a", "route0"),),
    warnings=("wrangler.toml: x",),
)
MADE = Bundle(b"source", "e" * 64, Dialect.VERCEL, "a.ts", SETTINGS, PACK, ("fetch",))
PLAIN = Bundle(b"source", "e" * 64, Dialect.WORKERS, "a.ts")


def test_the_manifest() -> None:
    assert manifesting.manifest(MADE) == common_pb2.Manifest(
        vars={"A": "secret text"},
        crons=["* * * * *"],
        rate_limiters=[common_pb2.RateLimiter(name="L", limit=5, period_s=10)],
        assets=common_pb2.Assets(
            digest="d" * 64,
            size_bytes=4,
            binding="FILES",
            html_handling=common_pb2.Assets.HTML_HANDLING_NONE,
            not_found_handling=common_pb2.Assets.NOT_FOUND_HANDLING_404_PAGE,
            program_first_paths=["/api/*"],
        ),
        handlers=["fetch"],
        compatibility_date="2026-01-01",
        compatibility_flags=["f"],
        matchers=["/m"],
        edge_routes=[common_pb2.EdgeRoute(path="/api/a", export="route0")],
        version_binding="V",
    )
    assert manifesting.manifest(PLAIN) == common_pb2.Manifest()


def test_a_sites_one_line_finds_its_files() -> None:
    site = replace(MADE, dialect=Dialect.STATIC, settings=Settings(assets=AssetSettings(".")))
    assert manifesting.manifest(site).assets.binding == "ASSETS"
    assert manifesting.manifest(replace(site, dialect=Dialect.WORKERS)).assets.binding == ""


def function(**more: object) -> functions_pb2.Function:
    limits = common_pb2.Limits(cpu_ms=50, memory_mib=256)
    return functions_pb2.Function(**{"name": "shop", "hostnames": ["shop.nearhop.test"], "limits": limits, **more})  # type: ignore[arg-type]


def test_a_project_that_says_nothing_changes_nothing() -> None:
    assert manifesting.update(PLAIN, function(hostnames=["shop.nearhop.test", "own.example.org"])) is None


def test_what_the_project_says_is_set_and_the_rest_stays() -> None:
    update = manifesting.update(MADE, function())
    assert update is not None
    assert (update.name, update.limits.cpu_ms, update.limits.memory_mib) == ("shop", 100, 256)
    assert list(update.hostnames.hostnames) == ["shop.example.org"]
    assert [(route.hostname, route.path) for route in update.hostnames.routes] == [("example.org", "/api/")]


def test_what_is_so_already_is_not_set_again() -> None:
    now = function(
        hostnames=["shop.nearhop.test", "shop.example.org"],
        routes=[common_pb2.PathRoute(hostname="example.org", path="/api/")],
        limits=common_pb2.Limits(cpu_ms=100),
    )
    assert manifesting.update(MADE, now) is None


def test_the_plan_names_variables_without_their_values() -> None:
    planned = manifesting.plan(MADE, "shop")
    assert "secret text" not in str(planned)
    assert planned["warnings"] == ["wrangler.toml: x", "public: hidden"]
    assert planned["limits"] == {"cpu_ms": 100}
    assert manifesting.lines(planned) == [
        "shop would be deployed as a vercel program",
        "  module        a.ts, 6 bytes, sha256 eeeeeeeeeeee",
        "  static files  3 of public, 1,234 bytes, 4 packed, sha256 dddddddddddd",
        "  paths         /api/a",
        "  matchers      /m",
        "  hostnames     shop.example.org",
        "  routes        example.org/api/*",
        "  vars          A",
        "  rate limiters L",
        "  crons         * * * * *",
        "  limits        cpu_ms 100",
    ]
    assert manifesting.lines(manifesting.plan(PLAIN, "x"))[1:] == ["  module        a.ts, 6 bytes, sha256 eeeeeeeeeeee"]
    site = manifesting.plan(replace(MADE, dialect=Dialect.STATIC), "x")
    assert manifesting.lines(site)[0] == "x would be deployed as a static site"
