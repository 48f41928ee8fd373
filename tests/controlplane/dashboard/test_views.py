"""The views over real HTTP and real gRPC: what they show, whom they refuse, how they name an error."""

import asyncio
from typing import Any

import httpx
import pytest

from controlplane.dashboard import access
from controlplane.dashboard.app import PAGES
from nearhop.v1 import nodes_pb2
from tests.controlplane.dashboard.fake import FakeControlPlane
from tests.controlplane.dashboard.serving import Page, dashboard
from tests.harness.eventually import eventually


async def test_every_view_has_a_url_that_serves_the_page(page: Page) -> None:
    for path in PAGES:
        reply = await page.http.get(path.replace("{name:path}", "hello"))
        assert reply.status_code == 200
        assert '<script type="module" src="/static/app.js">' in reply.text
    assert (await page.http.get("/")).headers["location"] == "/map"


async def test_every_reply_carries_the_strict_headers(page: Page) -> None:
    for path in ("/map", "/static/app.js", "/api/session", "/api/fleet", "/api/nodes/none", "/nowhere"):
        headers = (await page.http.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "trusted-types 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


async def test_the_page_holds_no_inline_script_or_style(page: Page) -> None:
    text = (await page.http.get("/map")).text
    assert "<style" not in text
    assert " style=" not in text
    assert text.count("<script") == text.count('<script type="module" src="/static/')


async def test_a_name_that_is_not_ours_is_refused(page: Page) -> None:
    for path in ("/map", "/api/session", "/static/app.js"):
        reply = await page.http.get(path, headers={"host": "rebound.example.net"})
        assert reply.status_code == 421
        assert reply.json()["error"]["code"] == "WRONG_HOST"


async def test_static_files_are_asked_about_and_not_sent_twice(page: Page) -> None:
    first = await page.http.get("/static/app.js")
    assert first.headers["cache-control"] == "no-cache"
    again = await page.http.get("/static/app.js", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304


async def test_no_file_beside_the_static_ones_is_served(page: Page) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static/"):
        assert (await page.http.get(path)).status_code == 404


async def test_the_sessions_cookie_is_out_of_reach(page: Page) -> None:
    cookie = (await page.http.get("/api/session")).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert page.csrf not in cookie


async def test_a_secure_cookie_when_configured(fake: FakeControlPlane) -> None:
    async with dashboard(fake.address, secure_cookie=True) as url, httpx.AsyncClient() as http:
        assert "Secure" in (await http.get(f"{url}/api/session")).headers["set-cookie"]


async def test_without_a_session_nothing_is_told(page: Page) -> None:
    page.http.cookies.clear()
    for path in ("/api/fleet", "/api/stream", "/api/nodes/tokyo-1", "/api/explain?ip=192.0.2.1"):
        reply = await page.http.get(path)
        assert (reply.status_code, reply.json()["error"]["code"]) == (401, "NO_SESSION")


async def test_the_fleet_is_told_whole(page: Page) -> None:
    fleet = (await page.http.get("/api/fleet")).json()
    assert {node["id"] for node in fleet["nodes"]} == {"tokyo-1", "london-1", "virginia-1", "sydney-1", "saopaulo-1"}
    assert fleet["functions"][0]["serving"] == 5
    assert fleet["routers"][0]["id"] == "r1"
    assert fleet["link"]["state"] == "connected"


async def test_a_function_with_its_versions_and_nodes(page: Page) -> None:
    detail = (await page.http.get("/api/functions/hello")).json()
    assert [version["number"] for version in detail["versions"]] == [3, 2, 1]
    assert detail["deployment"]["phase"] == "complete"
    assert {node["placement"]["active_version"] for node in detail["nodes"]} == {3}


async def test_a_node_with_its_witnesses_and_sandboxes(page: Page) -> None:
    detail = (await page.http.get("/api/nodes/tokyo-1")).json()
    assert detail["node"]["witnesses"][0]["verdict"] == "up"
    assert {sandbox["function"] for sandbox in detail["sandboxes"]} == {"hello", "checkout", "images"}


async def test_explains_by_address_and_by_place(page: Page) -> None:
    by_address = (await page.http.get("/api/explain", params={"ip": "133.11.0.1"})).json()
    assert by_address["candidates"][0]["node"] == "tokyo-1"
    assert by_address["client"]["city"] == "Tokyo"
    by_place = (await page.http.get("/api/explain", params={"latitude": -30, "longitude": 150, "country": "AU"})).json()
    assert by_place["candidates"][0]["node"] == "sydney-1"
    assert by_place["client"]["source"] == "given"


async def test_a_senseless_client_is_refused_before_the_control_plane(page: Page, fake: FakeControlPlane) -> None:
    for query in (
        "ip=nonsense",
        "ip=",
        "latitude=91&longitude=0",
        "latitude=nan&longitude=0",
        "latitude=x&longitude=1",
        "latitude=1",
        "",
    ):
        reply = await page.http.get(f"/api/explain?{query}")
        assert (reply.status_code, reply.json()["error"]["code"]) == (400, "BAD_REQUEST"), query
    assert "Explain" not in fake.calls


async def test_drain_and_uncordon(page: Page, fake: FakeControlPlane) -> None:
    assert (await page.act("/api/nodes/tokyo-1/drain")).json()["health"] == "draining"
    assert fake.nodes["tokyo-1"].draining
    assert (await page.act("/api/nodes/tokyo-1/uncordon")).json()["health"] == "healthy"
    assert not fake.nodes["tokyo-1"].draining


async def test_rollback_answers_as_soon_as_it_has_started(page: Page, fake: FakeControlPlane) -> None:
    fake.deploy_takes_s = 1.0
    started = (await page.act("/api/functions/hello/rollback", {"to_version": 1})).json()
    assert (started["phase"], started["shares"]) == ("progressing", [{"version": 1, "percent": 100}])

    async def complete() -> bool:
        detail = (await page.http.get("/api/functions/hello")).json()
        return bool(detail["deployment"]["phase"] == "complete")

    await eventually(complete, within=5)


async def test_a_forged_request_does_nothing(page: Page, fake: FakeControlPlane) -> None:
    for path in ("/api/nodes/tokyo-1/drain", "/api/nodes/tokyo-1/uncordon", "/api/functions/hello/rollback"):
        for headers in (
            {"x-nearhop-csrf": ""},
            {"x-nearhop-csrf": "guess"},
            {"origin": "http://evil.example.net"},
            {"sec-fetch-site": "cross-site"},
        ):
            reply = await page.act(path, **headers)
            assert (reply.status_code, reply.json()["error"]["code"]) == (403, "CSRF"), (path, headers)
    assert not {"DrainNode", "UncordonNode", "Rollback"} & set(fake.calls)


async def test_a_form_of_another_site_does_nothing(page: Page, fake: FakeControlPlane) -> None:
    reply = await page.http.post(
        "/api/nodes/tokyo-1/drain", data={"request_id": "x"}, headers={"x-nearhop-csrf": page.csrf}
    )
    assert reply.status_code == 400
    assert "DrainNode" not in fake.calls


async def test_a_senseless_body_is_refused(page: Page, fake: FakeControlPlane) -> None:
    for body in (b"", b"[]", b"{", b"[" * 5000, b'{"a": "' + b"x" * 20_000 + b'"}'):
        reply = await page.http.post(
            "/api/nodes/tokyo-1/drain",
            content=body,
            headers={"x-nearhop-csrf": page.csrf, "content-type": "application/json"},
        )
        assert reply.status_code == 400, body[:20]
    assert "DrainNode" not in fake.calls


async def test_a_senseless_version_is_refused(page: Page, fake: FakeControlPlane) -> None:
    for version in (-1, 2**32, "3", True, 1.5, None):
        reply = await page.act("/api/functions/hello/rollback", {"to_version": version})
        assert (reply.status_code, reply.json()["error"]["code"]) == (400, "BAD_REQUEST"), version
    assert "Rollback" not in fake.calls


async def test_errors_of_the_api_keep_their_name_and_details(page: Page) -> None:
    missing = await page.http.get("/api/nodes/none")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "NOT_FOUND")
    assert 'no node "none"' in missing.json()["error"]["message"]
    wrong = await page.act("/api/functions/hello/rollback", {"to_version": 99})
    assert wrong.status_code == 400
    assert wrong.json()["error"]["violations"] == [
        {"field": "to_version", "reason": "there is no version 99 to go back to"}
    ]


async def test_events_are_paged_backwards(page: Page, fake: FakeControlPlane) -> None:
    for index in range(130):
        await fake.happen(4, f"event {index}", node="tokyo-1")
    first = (await page.http.get("/api/events")).json()
    assert (first["events"][0]["message"], first["more"]) == ("event 129", True)
    second = (await page.http.get("/api/events", params={"before": first["events"][-1]["id"]})).json()
    assert (second["events"][-1]["message"], second["more"]) == ("event 0", False)
    for before in ("x", "-1", str(2**64), "٣"):
        assert (await page.http.get("/api/events", params={"before": before})).status_code == 400


class TestTokens:
    """A control plane that wants tokens."""

    @pytest.fixture
    def fake(self) -> FakeControlPlane:
        return FakeControlPlane(tokens={"admin-token": "admin", "viewer-token": "viewer"})

    @pytest.fixture
    async def page(self, fake: FakeControlPlane) -> Any:
        async with fake, dashboard(fake.address) as url:
            page = Page(url)
            async with page.http:
                yield page

    async def test_nothing_is_told_before_signing_in(self, page: Page) -> None:
        assert (await page.open())["state"] == "token_required"
        reply = await page.http.get("/api/nodes/tokyo-1")
        assert (reply.status_code, reply.json()["error"]["code"]) == (401, "UNAUTHENTICATED")
        fleet = (await page.http.get("/api/fleet")).json()
        assert (fleet["nodes"], fleet["link"]["state"]) == ([], "refused")

    async def test_a_wrong_token_is_refused_and_a_right_one_lets_in(self, page: Page) -> None:
        await page.open()
        assert (await page.sign_in("guess")).status_code == 401
        assert (await page.sign_in("")).status_code == 400
        assert (await page.sign_in("admin-token\r\nx: y")).status_code == 400
        before = page.http.cookies[access.COOKIE]
        reply = await page.sign_in("admin-token")
        assert reply.json()["state"] == "signed_in"
        assert page.http.cookies[access.COOKIE] != before
        assert "admin-token" not in str(reply.headers) + reply.text
        assert (await page.http.get("/api/nodes/tokyo-1")).status_code == 200
        assert len((await page.http.get("/api/fleet")).json()["nodes"]) == 5

    async def test_a_viewer_looks_and_does_not_act(self, page: Page, fake: FakeControlPlane) -> None:
        await page.open()
        await page.sign_in("viewer-token")
        assert (await page.http.get("/api/nodes/tokyo-1")).status_code == 200
        for path in ("/api/nodes/tokyo-1/drain", "/api/functions/hello/rollback"):
            reply = await page.act(path)
            assert (reply.status_code, reply.json()["error"]["code"]) == (403, "PERMISSION_DENIED")
        assert not fake.nodes["tokyo-1"].draining
        assert fake.functions["hello"].active_version == 3

    async def test_signing_out_ends_the_session(self, page: Page) -> None:
        await page.open()
        await page.sign_in("admin-token")
        key = page.http.cookies[access.COOKIE]
        assert (
            await page.http.request("DELETE", "/api/session", headers={"x-nearhop-csrf": page.csrf})
        ).status_code == 200
        page.http.cookies.set(access.COOKIE, key)
        assert (await page.http.get("/api/nodes/tokyo-1")).status_code == 401

    async def test_callers_do_not_share_what_they_see(self, page: Page) -> None:
        await page.open()
        await page.sign_in("admin-token")
        assert len((await page.http.get("/api/fleet")).json()["nodes"]) == 5
        async with Page(str(page.http.base_url)).http as http:
            await http.get("/api/session")
            assert (await http.get("/api/fleet")).json()["nodes"] == []


async def test_signing_in_is_protected_too(page: Page) -> None:
    reply = await page.http.post("/api/session", json={"token": "x"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "CSRF")


async def test_an_unreachable_control_plane_is_told_with_the_age_of_the_state(
    page: Page, fake: FakeControlPlane
) -> None:
    assert (await page.http.get("/api/fleet")).json()["link"]["state"] == "connected"
    await fake.stop()
    reply = await page.http.get("/api/nodes/tokyo-1")
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "UNAVAILABLE")
    assert (await page.act("/api/nodes/tokyo-1/drain")).status_code == 503

    async def told() -> dict[str, Any]:
        fleet: dict[str, Any] = (await page.http.get("/api/fleet")).json()
        assert fleet["link"]["state"] == "unreachable"
        assert fleet["link"]["age_s"] > 0.2
        return fleet

    assert len((await eventually(told, within=5))["nodes"]) == 5  # the last state stays, with its age
    await fake.start()

    async def back() -> bool:
        return bool((await page.http.get("/api/fleet")).json()["link"]["state"] == "connected")

    await eventually(back, within=5)


async def test_one_that_was_never_reached_says_so(fake: FakeControlPlane) -> None:
    await fake.stop()
    async with dashboard(fake.address) as url:
        page = Page(url)
        async with page.http:
            assert (await page.open())["state"] == "anonymous"
            link = (await page.http.get("/api/fleet")).json()["link"]
    assert (link["state"], link["age_s"], link["error"]["code"]) == ("unreachable", None, "UNAVAILABLE")


async def test_the_stream_begins_whole_and_then_tells_changes(page: Page, fake: FakeControlPlane) -> None:
    async with page.listen() as messages, asyncio.timeout(10):
        kind, whole = await anext(messages)
        assert (kind, len(whole["nodes"])) == ("state", 5)
        await fake.set_health("tokyo-1", nodes_pb2.Node.HEALTH_UNHEALTHY, "down")
        seen = {}
        async for kind, data in messages:
            seen[kind] = data
            if kind == "patch":
                assert [(node["id"], node["health"]) for node in data["nodes"]] == [("tokyo-1", "unhealthy")]
            if (
                kind == "flows"
                and data
                and not any(node == "tokyo-1" for _, node, _ in data["flows"])
                and "patch" in seen
            ):
                break
        assert seen["events"]["events"][0]["kind"] == "health_changed"


async def test_a_control_plane_without_events_and_flows_is_said_to_be_one(page: Page, fake: FakeControlPlane) -> None:
    fake.offers_events = fake.offers_flows = False
    async with page.listen() as messages, asyncio.timeout(10):
        async for kind, data in messages:
            link = data["link"] if kind == "state" else data if kind == "link" else None
            if link and link["offers"] == {"events": False, "flows": False}:
                break
    assert (await page.http.get("/api/events")).status_code == 501


async def test_hostile_names_do_not_break_the_stream(page: Page, fake: FakeControlPlane) -> None:
    name = "x\n\nevent: state\ndata: {}\n\n<script>alert(1)</script>\u2028"
    fake.add_function("hello-2", message=name)
    async with page.listen() as messages, asyncio.timeout(10):
        await anext(messages)
        await fake.happen(1, name, function=name)
        async for kind, data in messages:
            assert kind != "state"
            if kind == "events" and data["events"] and data["events"][0]["message"] == name:
                break
