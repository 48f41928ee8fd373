"""The Vercel Edge dialect in real guests."""

from typing import Any

import pytest

from tests.node.sandbox.guests import Boot, Booted

ARRIVING = {
    "x-nearhop-country": "BR",
    "x-real-ip": "203.0.113.9",
    "x-request-id": "01234567-89ab-cdef-0123-456789abcdef",
}


async def test_a_default_export_with_its_environment(boot: Boot) -> None:
    guest = await boot(
        """
        export const config = { runtime: "edge" };
        export default async function handler(request, context) {
          const { waitUntil } = context;
          waitUntil(Promise.resolve().then(() => console.log("logged later")));
          globalThis[Symbol.for("@vercel/request-context")].get().waitUntil(Promise.reject(new Error("background failed")));
          const h = (name) => request.headers.get(name);
          return Response.json([
            process.env.GREETING, process.env.VERCEL_REGION, typeof EdgeRuntime, typeof Deno,
            h("x-vercel-ip-country"), h("x-vercel-id"), h("x-real-ip"), new URL(request.url).pathname,
          ]);
        }""",
        "vercel",
        env={"GREETING": "hi"},
        region="paulo",
    )
    expected = ["hi", "paulo", "string", "undefined", "BR", "paulo::0123456789abcdef", "203.0.113.9", "/x"]
    assert (await guest.get("/x", **ARRIVING)).json() == expected
    await guest.logged("logged later")
    await guest.logged("background failed")


async def test_exports_named_after_methods(boot: Boot) -> None:
    guest = await boot(
        """
        export const runtime = "edge";
        export function GET(request) { return new Response("got " + request.method) }
        export async function POST(request) { return new Response(await request.text(), { status: 201 }) }
        """,
        "vercel",
    )
    assert (await guest.get()).text == "got GET"
    assert (await guest.send("HEAD")).status_code == 200
    posted = await guest.send("POST", content=b"body")
    assert (posted.status_code, posted.text) == (201, "body")
    refused = await guest.send("DELETE")
    assert (refused.status_code, refused.content) == (405, b"")
    options = await guest.send("OPTIONS")
    assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")


async def test_several_functions_of_api(boot: Boot) -> None:
    guest = await boot(
        """
        const shown = (name) => (request) => Response.json([name, Object.fromEntries(new URL(request.url).searchParams)]);
        export const a = { GET: shown("user") };
        export const b = { default: shown("me") };
        export const c = { default: shown("rest") };
        """,
        "vercel",
        manifest={
            "edge_routes": [
                {"path": "/api/[...rest]", "export": "c"},
                {"path": "/api/users/[id]", "export": "a"},
                {"path": "/api/users/me", "export": "b"},
            ]
        },
    )
    assert (await guest.get("/api/users/7?x=1")).json() == ["user", {"x": "1", "id": "7"}]
    assert (await guest.get("/api/users/me")).json() == ["me", {}]
    assert (await guest.get("/api/other/deep")).json() == ["rest", {"rest": "other/deep"}]
    assert (await guest.get("/elsewhere")).status_code == 404
    assert (await guest.send("POST", "/api/users/7")).status_code == 405


MIDDLEWARE = """
const next = (headers = {}) => new Response(null, { headers: { "x-middleware-next": "1", ...headers } });
export function middleware(request) {
  const { pathname } = new URL(request.url);
  if (pathname === "/api/blocked") return new Response("no", { status: 403 });
  if (pathname === "/api/moved") return new Response(null, { status: 307, headers: { Location: "/api/show" } });
  if (pathname === "/api/rewritten") {
    return new Response(null, { headers: { "x-middleware-rewrite": new URL("/api/show?from=rewrite", request.url).href } });
  }
  if (pathname === "/api/headers") {
    return new Response(null, { headers: {
      "x-middleware-rewrite": new URL("/api/show", request.url).href,
      "x-middleware-override-headers": "x-added,x-real-ip",
      "x-middleware-request-x-added": "yes", "x-middleware-request-x-real-ip": request.headers.get("x-real-ip"),
    } });
  }
  if (pathname === "/api/undefined") return undefined;
  return next({ "x-from-middleware": "1", "set-cookie": "m=1" });
}
export const show = { default: (request) => Response.json({
  path: new URL(request.url).pathname + new URL(request.url).search,
  headers: Object.fromEntries(request.headers),
}, { headers: { "set-cookie": "s=1" } }) };
"""
ROUTES = [{"path": "/api/[name]", "export": "show"}]


async def middleware(boot: Boot, **manifest: Any) -> Booted:
    return await boot(MIDDLEWARE, "vercel", manifest={"edge_routes": ROUTES, **manifest})


async def test_middleware_and_its_protocol(boot: Boot) -> None:
    guest = await middleware(boot)
    blocked = await guest.get("/api/blocked")
    assert (blocked.status_code, blocked.text) == (403, "no")
    moved = await guest.get("/api/moved")
    assert (moved.status_code, moved.headers["location"]) == (307, "/api/show")
    assert (await guest.get("/api/rewritten")).json()["path"] == "/api/show?from=rewrite&name=show"
    passed = await guest.get("/api/x", **ARRIVING, cookie="c=1")
    assert passed.headers["x-from-middleware"] == "1"
    assert passed.headers.get_list("set-cookie") == ["s=1", "m=1"]
    assert not [name for name in passed.headers if name.startswith("x-middleware")]
    assert passed.json()["headers"]["cookie"] == "c=1"
    assert passed.json()["headers"]["x-vercel-ip-country"] == "BR"
    replaced = (await guest.get("/api/headers", **ARRIVING, cookie="c=1")).json()["headers"]
    assert replaced == {"x-added": "yes", "x-real-ip": "203.0.113.9"}
    assert (await guest.get("/api/undefined")).json()["path"] == "/api/undefined?name=undefined"


async def test_middleware_runs_where_its_matcher_says(boot: Boot) -> None:
    guest = await middleware(boot, matchers=["/api/blocked/:path*", "/((?!api).*)"])
    assert "x-from-middleware" not in (await guest.get("/api/x")).headers
    assert (await guest.get("/api/blocked")).status_code == 403
    other = await guest.get("/other")
    assert (other.status_code, other.headers["x-from-middleware"]) == (404, "1")


async def test_middleware_alone(boot: Boot) -> None:
    guest = await boot(
        """
        export const config = { matcher: ["/old/:path*"] };
        export default (request) => Response.redirect(new URL("/new", request.url), 308);
        """,
        "vercel",
    )
    assert (await guest.get("/old/page")).status_code == 308
    assert (await guest.get("/page")).status_code == 404


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("/about", ["/about", "/about/", "/About"], ["/about/x", "/abou"]),
        ("/about/:path*", ["/about", "/about/a", "/about/a/b"], ["/abouts", "/x/about"]),
        ("/about/:path+", ["/about/a", "/about/a/b"], ["/about"]),
        ("/:lang(en|de)/x", ["/en/x", "/de/x"], ["/fr/x"]),
        ("/((?!api|_next/static|favicon.ico).*)", ["/", "/page", "/a/b"], ["/api/x", "/favicon.ico"]),
        ("/post/:id(\\d+)", ["/post/7"], ["/post/seven"]),
        ("/a.b", ["/a.b"], ["/axb"]),
        ("/opt/:id?", ["/opt", "/opt/1"], ["/opt/1/2"]),
        ("/", ["/"], ["/x"]),
        ("/(.*)", ["/", "/x/y"], []),
        ("/files/:name.json", ["/files/a.json"], ["/files/a.xml"]),
    ],
)
async def test_matchers(boot: Boot, pattern: str, matching: list[str], other: list[str]) -> None:
    guest = await boot("export const middleware = () => new Response('in')", "vercel", manifest={"matchers": [pattern]})
    assert guest.error == ""
    assert [path for path in matching if (await guest.get(path)).text != "in"] == []
    assert [path for path in other if (await guest.get(path)).text == "in"] == []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("export const x = 1", "No default or HTTP-named export was found"),
        ("export const config = { matcher: 'about' }; export default () => {}", "must begin with /"),
        ("throw new Error('at start')", "at start"),
    ],
)
async def test_what_does_not_start_says_why(boot: Boot, source: str, said: str) -> None:
    assert said in (await boot(source, "vercel")).error


async def test_an_exception_is_the_500_page(boot: Boot) -> None:
    guest = await boot("export default () => { throw new Error('bad') }", "vercel")
    assert (await guest.get()).headers["x-nearhop-reason"] == "exception"
