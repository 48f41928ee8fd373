"""ab-test on a real cluster: who has a variant keeps it, on every node, and nobody else gets it from a cache."""

import hashlib
import re
from http.cookies import SimpleCookie
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.harness.cluster import Cluster

pytestmark = [pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="session")]

HEADLINES = {"calm": "Functions near your users", "bold": "One deploy, every region"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def deployed(shared_cluster: Cluster) -> Cluster:
    await shared_cluster.deploy(Path(__file__).parent)
    return shared_cluster


def expected_variant(visitor: str) -> str:
    digest = hashlib.sha256(f"landing-headline:{visitor}".encode()).digest()
    return "calm" if int.from_bytes(digest[:4]) < 2**31 else "bold"


def visitor_of(reply: httpx.Response) -> str:
    return SimpleCookie(reply.headers["set-cookie"])["visitor"].value


async def ask(
    cluster: Cluster, cookie: str | None = None, node: str = "tokyo-1", method: str = "GET"
) -> httpx.Response:
    # The harness shares one HTTP client, which must not act as a browser: every visitor here brings what it says.
    cluster.http.cookies.clear()
    headers = {} if cookie is None else {"cookie": cookie}
    return await cluster.get(node, "ab-test", headers=headers, method=method)


async def test_a_new_visitor_gets_a_cookie_that_scripts_and_other_sites_cannot_use(deployed: Cluster) -> None:
    reply = await ask(deployed)
    assert re.fullmatch(r"[0-9a-f]{32}", visitor_of(reply))
    attributes = {part.strip().lower() for part in reply.headers["set-cookie"].split(";")[1:]}
    assert attributes == {"path=/", "max-age=15552000", "httponly", "samesite=lax"}


async def test_a_visitor_keeps_the_variant_on_every_node(deployed: Cluster) -> None:
    first = await ask(deployed)
    cookie = f"theme=dark; visitor={visitor_of(first)}; last=1"
    for node in deployed.nodes:
        again = await ask(deployed, cookie, node)
        assert (again.headers["x-variant"], again.text) == (first.headers["x-variant"], first.text)
        assert "set-cookie" not in again.headers


async def test_the_split_follows_from_the_visitors_id_alone(deployed: Cluster) -> None:
    visitors = [hashlib.md5(str(number).encode()).hexdigest() for number in range(40)]
    seen = {visitor: await ask(deployed, f"visitor={visitor}") for visitor in visitors}
    assert {visitor: reply.headers["x-variant"] for visitor, reply in seen.items()} == {
        visitor: expected_variant(visitor) for visitor in visitors
    }
    assert all(HEADLINES[reply.headers["x-variant"]] in reply.text for reply in seen.values())
    assert {reply.headers["x-variant"] for reply in seen.values()} == set(HEADLINES)


async def test_new_visitors_are_split_in_half(deployed: Cluster) -> None:
    replies = [await ask(deployed) for _ in range(200)]
    calm = sum(reply.headers["x-variant"] == "calm" for reply in replies)
    assert 57 <= calm <= 143  # six standard deviations round 100
    assert len({visitor_of(reply) for reply in replies}) == len(replies)


@pytest.mark.parametrize("status", ["new", "known"])
async def test_no_shared_cache_may_keep_a_page(deployed: Cluster, status: str) -> None:
    reply = await ask(deployed, None if status == "new" else f"visitor={'0' * 32}")
    assert reply.headers["cache-control"] == "private, no-cache"
    assert reply.headers["vary"].lower() == "cookie"


@pytest.mark.parametrize(
    "cookie",
    [
        "visitor=",
        "visitor",
        "visitor=bold",
        f"visitor={'A' * 32}",
        f"visitor={'a' * 33}",
        f"xvisitor={'a' * 32}",
        f"visitor={'a' * 31}g",
        "=;=;;;",
        f"padding={'x' * 8192}; visitor={'a' * 32}",  # beyond the part that is looked at
        "a=b;" * 2048 + f"visitor={'a' * 32}",
    ],
    ids=[
        "empty",
        "bare",
        "a variant",
        "upper case",
        "too long",
        "other name",
        "not hexadecimal",
        "junk",
        "behind a long one",
        "behind many",
    ],
)
async def test_a_cookie_that_is_not_ours_is_replaced(deployed: Cluster, cookie: str) -> None:
    reply = await ask(deployed, cookie)
    assert reply.status_code == 200
    assert re.fullmatch(r"[0-9a-f]{32}", visitor_of(reply))
    assert visitor_of(reply) != "a" * 32


async def test_a_broken_cookie_does_not_hide_a_good_one(deployed: Cluster) -> None:
    reply = await ask(deployed, f"visitor=broken; visitor={'a' * 32}")
    assert "set-cookie" not in reply.headers
    assert reply.headers["x-variant"] == expected_variant("a" * 32)


async def test_other_methods_are_refused(deployed: Cluster) -> None:
    head = await ask(deployed, method="HEAD")
    assert (head.status_code, head.text) == (200, "")
    post = await ask(deployed, method="POST")
    assert (post.status_code, post.headers["allow"]) == (405, "GET, HEAD")
