"""Vercel's project files."""

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from controlplane.bundle import vercel
from controlplane.bundle.errors import UnusableSource
from controlplane.bundle.settings import AssetSettings, Settings
from nearhop.spec import EdgeRoute


def settings(**more: Any) -> Settings:
    return Settings(**({"assets": AssetSettings("public")} | more))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, settings()),
        ({"$schema": "x", "version": 2, "framework": None}, settings()),
        ({"name": "shop", "env": {"A": "1"}}, settings(name="shop", vars={"A": "1"})),
        ({"outputDirectory": "dist"}, settings(assets=AssetSettings("dist"))),
        ({"cleanUrls": True}, settings(assets=AssetSettings("public", html_handling="drop-trailing-slash"))),
        ({"cleanUrls": False}, settings()),
        ({"trailingSlash": True}, settings(assets=AssetSettings("public", html_handling="force-trailing-slash"))),
        ({"trailingSlash": False}, settings(assets=AssetSettings("public", html_handling="drop-trailing-slash"))),
        (
            {"crons": [{"path": "/a", "schedule": "0 0 * * 0"}, {"path": "/b", "schedule": "0 0 * * 0"}]},
            settings(crons=("0 0 * * 1",), calls=(("0 0 * * 1", "/a"), ("0 0 * * 1", "/b"))),
        ),
        (
            {"redirects": [{"source": "/a", "destination": "/b"}]},
            settings(
                routing={
                    "redirects": [{"source": "/a", "destination": "/b", "status": 308}],
                    "headers": [],
                    "rewrites": [],
                }
            ),
        ),
        ({"regions": ["hnd1"]}, settings(warnings=("vercel.json: regions: is not honored here",))),
        (
            {"functions": {"api/*.ts": {"maxDuration": 9}, "b": {"runtime": "edge"}}},
            settings(
                warnings=(
                    "vercel.json: functions.api/*.ts: is not honored here",
                    "vercel.json: functions.b: is not honored here",
                )
            ),
        ),
    ],
)
def test_what_it_says(table: dict[str, Any], said: Settings) -> None:
    assert vercel.read("vercel.json", table) == said


@pytest.mark.parametrize(
    ("table", "error"),
    [
        ({"rewrites": [{"source": "/a"}]}, r"rewrites\[0\].destination: "),
        ({"routes": [{"src": "/a"}]}, "routes: the older way to route"),
        ({"crons": [{"path": "a", "schedule": "* * * * *"}]}, r"crons\[0\].path: "),
        ({"framework": "nextjs"}, "framework: frameworks are not built here"),
        ({"functions": {"api/x.py": {"runtime": "python3.9"}}}, "functions.api/x.py: the runtime python3.9"),
        ({"functions": []}, "functions: must be a table"),
        ({"env": {"A": "@secret"}}, "env.A: must be a text, and no reference to a secret"),
        ({"env": {"A": 1}}, "env.A: "),
        ({"cleanUrls": "yes"}, "cleanUrls: must be true or false"),
    ],
)
def test_what_is_wrong(table: dict[str, Any], error: str) -> None:
    with pytest.raises(UnusableSource, match=error):
        vercel.read("vercel.json", table)


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("api/hello.ts", True),
        ("api/users/[id].js", True),
        ("api/types.d.ts", False),
        ("api/_lib/x.ts", False),
        ("api/_x.ts", False),
        ("api/.x.ts", False),
        ("api/data.json", False),
        ("api2/x.ts", False),
        ("src/api/x.ts", False),
    ],
)
def test_which_files_are_functions(path: str, is_one: bool) -> None:
    assert vercel.is_function(path) is is_one


def test_files_become_routes() -> None:
    files = ["api/index.ts", "api/users/[id].ts", "api/users/index.ts", "api/files/[...path].ts", "api/a-b.mjs"]
    assert vercel.routes(files) == (
        EdgeRoute("/api", "route0"),
        EdgeRoute("/api/users/[id]", "route1"),
        EdgeRoute("/api/users", "route2"),
        EdgeRoute("/api/files/[...path]", "route3"),
        EdgeRoute("/api/a-b", "route4"),
    )


@pytest.mark.parametrize("file", ["api/[id.ts", "api/[].ts", "api/x[id].ts", "api/[[...all]].ts", "api/[1].ts"])
def test_what_is_no_route_is_told(file: str) -> None:
    with pytest.raises(UnusableSource, match="is no segment of a route"):
        vercel.routes([file])


def test_two_files_for_one_path_are_told() -> None:
    with pytest.raises(UnusableSource, match=r"api/a/index\.ts and api/a\.ts answer the same path"):
        vercel.routes(["api/a.ts", "api/a/index.ts"])


@pytest.mark.parametrize(
    ("text", "edge"),
    [
        ('export const config = { runtime: "edge" };', True),
        ("export const config: Config = {\n  regions: ['hnd1'],\n  runtime: 'edge',\n}", True),
        ("export const runtime = 'edge'", True),
        ('export const runtime: string = "edge"', True),
        ('export const config = { runtime: "nodejs" };', False),
        ('// export const config = { runtime: "edge" }\nexport default () => {}', False),
        ('const text = "export const config = { runtime: edge }"', False),
        ("export default (req, res) => res.send()", False),
    ],
)
def test_only_edge_functions_are_taken(text: str, edge: bool) -> None:
    if edge:
        vercel.check_edge("api/x.ts", text)
    else:
        with pytest.raises(UnusableSource, match=r"api/x\.ts is a function for the Node\.js runtime"):
            vercel.check_edge("api/x.ts", text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("export default () => {}", ()),
        ("export const config = { matcher: '/about/:path*' }", ("/about/:path*",)),
        ('export const config = { matcher: ["/a", \'/b\', `/c`, // "/d"\n "/e", ] }', ("/a", "/b", "/c", "/e")),
        ("export const config = { matcher: [] }", ()),
        (r"export const config = { matcher: '/((?!api|_next\\..*).*)' }", (r"/((?!api|_next\..*).*)",)),
        ("/* matcher: '/x' */ export const config = {}", ()),
        ("export const config = { matcher: { source: '/a' } }", ()),
        ("export const config = { matcher: ['/b', { source: '/a', missing: [] }] }", ()),
    ],
)
def test_matchers_are_read(text: str, found: tuple[str, ...]) -> None:
    assert vercel.matchers("middleware.ts", text) == found


@pytest.mark.parametrize("value", ["PATHS", "['/a', PATH]", "'about'", "`/${x}`", "['/a'", "['/a' '/b']x", ""])
def test_matchers_that_are_not_written_out_are_told(value: str) -> None:
    if value == "['/a' '/b']x":
        assert vercel.matchers("middleware.ts", f"config = {{ matcher: {value}") == ("/a", "/b")
        return
    with pytest.raises(UnusableSource, match="must be a path or a list of paths"):
        vercel.matchers("middleware.ts", f"export const config = {{ matcher: {value}")


@bounded(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=60), st.sampled_from(["matcher: ", "matcher:[", ""]))
def test_no_text_of_middleware_raises_anything_else(text: str, start: str) -> None:
    with contextlib.suppress(UnusableSource):
        assert all(pattern.startswith("/") for pattern in vercel.matchers("middleware.ts", start + text))


def test_the_made_entrypoint() -> None:
    routes = (("file:///p/api/a%22.ts", EdgeRoute("/api/a", "route0")),)
    assert vercel.entry(routes, None, Settings()) == 'export * as route0 from "file:///p/api/a%22.ts";\n'
    made = vercel.entry(routes, "file:///p/middleware.ts", Settings())
    assert 'import * as gate from "file:///p/middleware.ts";' in made
    assert "export const middleware = gate.middleware ?? gate.default;" in made
    said = Settings(calls=(("* * * * *", "/api/a"),), routing={"rewrites": []})
    assert vercel.entry((), None, said) == (
        'export const vercelJson = {"routing": {"rewrites": []}, "crons": [{"schedule": "* * * * *", "path": "/api/a"}]};\n'
    )
