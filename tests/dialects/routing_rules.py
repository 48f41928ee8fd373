"""Rules of vercel.json, and what each is asked."""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from nearhop import children
from tests.dialects.asking import HERE

RECORDED = HERE / "answers" / "routing.json"

_TO = {"permanent": True}

RULES: list[dict[str, Any]] = [
    {"kind": kind, "rule": rule, "asked": [item if isinstance(item, list) else [item] for item in asked]}
    for kind, rule, asked in (
        ("redirects", {"source": "/me", "destination": "/profile.html"}, ["/me", "/me/", "/Me", "/me/x"]),
        ("redirects", {"source": "/me", "destination": "/p", "permanent": False}, ["/me"]),
        ("redirects", {"source": "/me", "destination": "/p", "statusCode": 301}, ["/me"]),
        ("redirects", {"source": "/blog/:slug", "destination": "/news/:slug", **_TO}, ["/blog/a", "/blog/a/b", "/blog", "/blog/a%20b"]),
        ("redirects", {"source": "/blog/:path*", "destination": "/news/:path*", **_TO}, ["/blog", "/blog/a", "/blog/a/b/c", "/blogs"]),
        ("redirects", {"source": "/blog/:path+", "destination": "/news/:path+", **_TO}, ["/blog", "/blog/a", "/blog/a/b"]),
        ("redirects", {"source": "/old/:id?", "destination": "/new/:id?", **_TO}, ["/old", "/old/7"]),
        ("redirects", {"source": "/post/:id(\\d{1,})", "destination": "/n/:id", **_TO}, ["/post/12", "/post/a", "/post/1/2"]),
        ("redirects", {"source": "/:lang(en|de)/:rest*", "destination": "/:rest*?lang=:lang", **_TO}, ["/en/a/b", "/de", "/fr/a"]),
        ("redirects", {"source": "/view-source", "destination": "https://github.com/vercel/vercel", **_TO}, ["/view-source"]),
        ("redirects", {"source": "/docs/:path*", "destination": "https://docs.example.org/:path*#top", **_TO}, ["/docs/a/b", "/docs"]),
        ("redirects", {"source": "/(.*)", "destination": "https://new.example.org/$1", **_TO}, ["/", "/a/b"]),
        ("redirects", {"source": "/a.b", "destination": "/c", **_TO}, ["/a.b", "/axb"]),
        ("redirects", {"source": "/:file.html", "destination": "/:file", **_TO}, ["/x.html", "/x.xml", "/x/y.html"]),
        ("redirects", {"source": "/img/:name.:ext", "destination": "/i/:ext/:name", **_TO}, ["/img/a.png", "/img/a"]),
        ("redirects", {"source": "/x{/:y}?", "destination": "/z", **_TO}, ["/x", "/x/1", "/x/1/2"]),
        ("redirects", {"source": "/en\\(x\\)", "destination": "/z", **_TO}, ["/en(x)", "/enx"]),
        ("redirects", {"source": "/((?!api|static).*)", "destination": "/closed", **_TO}, ["/", "/a", "/api", "/api/x", "/static"]),
        ("redirects", {"source": "/start", "destination": "/w", "missing": [{"type": "cookie", "key": "auth"}], **_TO},
         ["/start", ["/start", {"cookie": "a=1; auth=2"}]]),
        ("redirects", {"source": "/start", "destination": "/w?u=:u", "has": [{"type": "query", "key": "page", "value": "(?<u>home|me)"}], **_TO},
         ["/start", "/start?page=home", "/start?page=homes"]),
        ("redirects", {"source": "/x", "destination": "/:xland/y", "has": [{"type": "header", "key": "xland"}], **_TO},
         ["/x", ["/x", {"xland": "de"}]]),
        ("redirects", {"source": "/:p*", "destination": "https://b.example.org/:p*", "has": [{"type": "host", "value": "a.example.org"}], **_TO},
         ["/a", "/a/b"]),
        ("redirects", {"source": "/:p*", "destination": "/:host/:p*", "has": [{"type": "host", "value": "b.example.org"}], **_TO}, ["/a"]),
        ("rewrites", {"source": "/about", "destination": "/about-our-company.html"}, ["/about", "/about/"]),
        ("rewrites", {"source": "/(.*)", "destination": "/index.html"}, ["/", "/a/b"]),
        ("rewrites", {"source": "/:path*", "destination": "/index.html"}, ["/", "/a/b"]),
        ("rewrites", {"source": "/resize/:width/:height", "destination": "/api/sharp"}, ["/resize/3/4", "/resize/3"]),
        ("rewrites", {"source": "/users/:id", "destination": "/api/users/:id"}, ["/users/7", "/users/7/8"]),
        ("rewrites", {"source": "/users/:id/:tab?", "destination": "/api/user?id=:id&fixed=1"}, ["/users/7", "/users/7/x"]),
        ("rewrites", {"source": "/proxy/:match*", "destination": "https://example.com/:match*"}, ["/proxy/a/b", "/proxy"]),
        ("rewrites", {"source": "/:path((?!uk/).*)", "destination": "/uk/:path*"}, ["/a/b", "/uk/a"]),
        ("headers", {"source": "/service-worker.js", "headers": [{"key": "Cache-Control", "value": "max-age=0"}]}, ["/service-worker.js", "/x"]),
        ("headers", {"source": "/(.*)", "headers": [{"key": "X-A", "value": "1"}, {"key": "X-B", "value": "2:3"}]}, ["/", "/a/b"]),
        ("headers", {"source": "/:path*", "headers": [{"key": "x-:path", "value": "for :path"}]}, ["/a"]),
        ("headers", {"source": "/:path", "has": [{"type": "query", "key": "authorized"}], "headers": [{"key": "x-a", "value": ":authorized"}]},
         ["/a?authorized=yes", "/a"]),
    )
]  # fmt: skip


async def read_by_vercel(folder: Path) -> list[Any]:
    """Return what Vercel's own package makes of every rule; *folder* is where it is installed."""
    with tempfile.TemporaryDirectory() as here:
        asked = Path(here, "rules.json")
        await asyncio.to_thread(asked.write_text, json.dumps(RULES))
        process = await children.spawn(
            ["node", str(HERE / "routing.mjs"), str(folder), str(asked)],
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(30):
            said, _ = await process.communicate()
    assert process.returncode == 0
    return list(json.loads(said))
