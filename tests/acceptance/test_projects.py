"""Projects of three platforms as they are, on a real cluster: what their files say holds on every node."""

import json
from pathlib import Path

import pytest

from tests.harness.cluster import Cluster
from tests.harness.eventually import eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="session")]


def project(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


WRANGLER = """
name = "shop"
main = "worker.js"
routes = ["shop.example.org/*", "example.org/shop/*"]
vars = { CURRENCY = "EUR" }
version_metadata = { binding = "VERSION" }
[assets]
directory = "public"
binding = "FILES"
"""
WORKER = """
addEventListener("fetch", (event) => event.respondWith(answer(event.request)));
async function answer(request) {
  const { pathname } = new URL(request.url);
  if (pathname === "/copy") return FILES.fetch(new URL("/style.css", request.url));
  return Response.json({ pathname, CURRENCY, version: VERSION.id });
}
"""


async def test_a_workers_project(shared_cluster: Cluster, tmp_path: Path) -> None:
    files = {
        "wrangler.toml": WRANGLER,
        "worker.js": WORKER,
        "public/style.css": "p { margin: 0 }",
        "public/_redirects": "/old /new 301\n",
    }
    await shared_cluster.deploy(project(tmp_path, files))
    for node in shared_cluster.nodes:
        told = (await shared_cluster.get(node, "shop", "/x")).json()
        assert (told["pathname"], told["CURRENCY"]) == ("/x", "EUR")
        assert (await shared_cluster.get(node, "shop", "/style.css")).text == "p { margin: 0 }"
        assert (await shared_cluster.get(node, "shop", "/copy")).text == "p { margin: 0 }"
        assert (await shared_cluster.get(node, "shop", "/old")).headers["location"] == "/new"

        async def routed(node: str = node) -> bool:
            own = await shared_cluster.get(node, "shop", "/x", headers={"host": "shop.example.org"})
            below = await shared_cluster.get(node, "shop", "/shop/x", headers={"host": "example.org"})
            return own.status_code == below.status_code == 200 and below.json()["pathname"] == "/shop/x"

        await eventually(routed, within=15, reason=f"{node} does not answer for the project's own names")
        beside = await shared_cluster.get(node, "shop", "/other", headers={"host": "example.org"})
        assert beside.status_code == 404


MIDDLEWARE = """
export const config = { matcher: ["/private/:path*", "/api/:path*"] };
export default function (request: Request) {
  if (new URL(request.url).pathname.startsWith("/private")) return new Response("no", { status: 401 });
  return new Response(null, { headers: { "x-middleware-next": "1", "x-gate": "passed" } });
}
"""
EDGE = 'export const config = { runtime: "edge" };\n'


async def test_a_vercel_project(shared_cluster: Cluster, tmp_path: Path) -> None:
    files = {
        "vercel.json": json.dumps(
            {
                "cleanUrls": True,
                "env": {"GREETING": "hello"},
                "redirects": [{"source": "/old/:path*", "destination": "/:path*"}],
                "rewrites": [{"source": "/hi", "destination": "/api/hello"}],
                "headers": [{"source": "/(.*)", "headers": [{"key": "x-ruled", "value": "yes"}]}],
                "crons": [{"path": "/api/hello", "schedule": "0 0 1 1 *"}],
            }
        ),
        "middleware.ts": MIDDLEWARE,
        "api/hello.ts": EDGE + "export default () => new Response(process.env.GREETING);",
        "api/users/[id].ts": EDGE
        + "export function GET(request: Request) { return new Response(new URL(request.url).pathname); }",
        "public/about.html": "about",
    }
    await shared_cluster.deploy(project(tmp_path, files), "vercel-app")
    for node in shared_cluster.nodes:
        hello = await shared_cluster.get(node, "vercel-app", "/api/hello")
        assert (hello.text, hello.headers["x-gate"], hello.headers["x-ruled"]) == ("hello", "passed", "yes")
        assert (await shared_cluster.get(node, "vercel-app", "/hi")).text == "hello"
        moved = await shared_cluster.get(node, "vercel-app", "/old/about?a=1")
        assert (moved.status_code, moved.headers["location"]) == (308, "/about?a=1")
        assert (await shared_cluster.get(node, "vercel-app", "/api/users/7")).text == "/api/users/7"
        assert (await shared_cluster.get(node, "vercel-app", "/api/users/7", method="POST")).status_code == 405
        assert (await shared_cluster.get(node, "vercel-app", "/private/x")).status_code == 401
        assert (await shared_cluster.get(node, "vercel-app", "/about")).text == "about"
        assert (await shared_cluster.get(node, "vercel-app", "/nope")).status_code == 404


async def test_a_site_with_rules(shared_cluster: Cluster, tmp_path: Path) -> None:
    files = {
        "vercel.json": json.dumps({"rewrites": [{"source": "/(.*)", "destination": "/index.html"}]}),
        "index.html": "the app",
        "style.css": "a {}",
    }
    await shared_cluster.deploy(project(tmp_path, files), "vercel-site")
    for node in shared_cluster.nodes:
        assert (await shared_cluster.get(node, "vercel-site", "/any/where")).text == "the app"
        assert (await shared_cluster.get(node, "vercel-site", "/style.css")).text == "a {}"


async def test_a_deno_project(shared_cluster: Cluster, tmp_path: Path) -> None:
    files = {
        "deno.json": '{ "imports": { "lib/": "./lib/" }, "deploy": { "entrypoint": "main.ts" }, "tasks": { "dev": "deno run main.ts" } }',
        "main.ts": 'import { word } from "lib/word.ts";\nexport default { fetch: () => new Response(word) };',
        "lib/word.ts": 'export const word: string = "found";',
    }
    await shared_cluster.deploy(project(tmp_path, files), "deno-app")
    assert (await shared_cluster.get("tokyo-1", "deno-app", "/")).text == "found"
