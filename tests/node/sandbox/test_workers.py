"""The Workers dialect in real guests: what Cloudflare gives to a program, in the forms that its documentation shows."""

import asyncio
import json
from typing import Any

import aiohttp
import httpx
import pytest

from tests.node.sandbox.guests import CONTROL, Boot, worker

ARRIVING = {
    "x-nearhop-country": "JP",
    "x-real-ip": "203.0.113.9",
    "x-request-id": "01234567-89ab-cdef-0123-456789abcdef",
    "x-forwarded-proto": "https",
}


async def test_vars_secrets_and_bindings_are_in_env(boot: Boot) -> None:
    guest = await boot(
        worker(
            """
            if (new URL(request.url).pathname === "/limit") {
              const tries = [];
              for (const key of ["a", "a", "a", "b"]) tries.push((await env.LIMITER.limit({ key })).success);
              return Response.json(tries);
            }
            return Response.json([env.GREETING, env.TOKEN, env.VERSION, process.env.GREETING, Object.keys(env).sort()]);
            """
        ),
        env={"GREETING": "hi", "TOKEN": "s3cret"},
        version=7,
        digest="0123456789abcdef" * 4,
        created_at=1_700_000_000,
        manifest={
            "rate_limiters": [{"name": "LIMITER", "limit": 2, "period_s": 60}],
            "version_binding": "VERSION",
        },
    )
    version = {"id": "01234567-89ab-cdef-0123-456789abcdef", "tag": "v7", "timestamp": "2023-11-14T22:13:20.000Z"}
    names = ["GREETING", "LIMITER", "TOKEN", "VERSION"]
    assert (await guest.get()).json() == ["hi", "s3cret", version, "hi", names]
    assert (await guest.get("/limit")).json() == [True, True, False, True]


async def test_what_cloudflare_adds_to_a_request(boot: Boot) -> None:
    guest = await boot(
        worker(
            """
            const names = ["cf-connecting-ip", "cf-ipcountry", "cf-ray", "cf-visitor", "x-custom"];
            const shown = (r) => names.map((name) => r.headers.get(name));
            const copy = new Request(request, { headers: { "x-custom": "2" } });
            return Response.json({
              url: [request.url, request.clone().url, copy.url],
              headers: [shown(request), shown(request.clone()), shown(new Request(request)), shown(copy)],
              country: [request.cf.country, request.clone().cf.country, copy.cf.country, new Request("http://x/").cf ?? null],
              cf: request.cf,
              is: request instanceof Request && copy instanceof Request,
            });"""
        ),
        region="tokyo",
    )
    said = (await guest.get("/p?q=1", **ARRIVING, **{"x-custom": "1"})).json()
    assert said["url"] == ["https://a.example.org:7480/p?q=1"] * 3
    full = ["203.0.113.9", "JP", "0123456789abcdef-TOKYO", '{"scheme":"https"}', "1"]
    assert said["headers"] == [full, full, full, [None, None, None, None, "2"]]
    assert said["country"] == ["JP", "JP", "JP", None]
    assert (said["cf"]["country"], said["cf"]["colo"], said["is"]) == ("JP", "tokyo", True)
    assert "city" not in said["cf"]


async def test_what_a_client_says_under_the_platform_s_names_is_not_seen(boot: Boot) -> None:
    guest = await boot(
        worker(
            """
            const { headers } = request;
            const copies = [headers, new Headers(headers), new Request(request).headers, new Request("http://x/", { headers }).headers];
            const seen = copies.map((h) => ["cf-ipcity", "cf-connecting-ip", "x-kept"].map((name) => h.get(name)));
            const shown = ([name]) => name.startsWith("cf-ip") || name === "x-kept";
            const listed = copies.map((h) => [...h].filter(shown).map((pair) => pair.join("=")));
            let refused;
            try { request.headers.set("x-a", "1") } catch (error) { refused = error.constructor.name }
            const all = Object.keys(Object.fromEntries(headers));
            const own = [headers.has("cf-ipcity"), headers instanceof Headers, refused, all.includes("cf-ray")];
            return Response.json({ seen, listed, own });"""
        )
    )
    forged = {"cf-ipcity": "Atlantis", "cf-connecting-ip": "192.0.2.66", "x-kept": "1"}
    said = (await guest.get("/", **ARRIVING, **forged)).json()
    assert said["seen"] == [[None, "203.0.113.9", "1"]] * 4
    assert said["listed"] == [["cf-ipcountry=JP", "x-kept=1"]] * 4
    assert said["own"] == [False, True, "TypeError", True]


async def test_a_request_can_be_read_after_its_answer(boot: Boot) -> None:
    guest = await boot(
        worker(
            """
            const seen = () => [request.url, request.headers.get("cf-ipcountry"), request.cf.country];
            ctx.waitUntil(scheduler.wait(30).then(() => console.log("after", ...seen())));
            return new Response("ok");"""
        )
    )
    await guest.get("/p", **ARRIVING)
    await guest.logged("after https://a.example.org:7480/p JP JP")


async def test_a_copy_of_a_request_keeps_its_body_and_method(boot: Boot) -> None:
    guest = await boot(
        worker(
            """
            const copy = new Request("https://other.example.org/x", request);
            const again = new Request(copy, { method: "PUT" });
            return Response.json([copy.method, again.method, again.url, await again.text()]);"""
        )
    )
    said = (await guest.send("POST", "/", content=b"body")).json()
    assert said == ["POST", "PUT", "https://other.example.org/x", "body"]


SERVICE_WORKER = """
addEventListener("fetch", (event) => {
  event.waitUntil(Promise.resolve().then(() => console.log("afterwards " + GREETING)));
  event.respondWith(answer(event.request));
});
addEventListener("scheduled", (event) => event.waitUntil(run(event)));
async function run(event) { console.log("cron " + event.cron + " at " + event.scheduledTime) }
async function answer(request) {
  if (request.url.endsWith("/bad")) throw new Error("bad");
  return new Response(GREETING + " " + request.method + " " + request.headers.get("cf-ipcountry"));
}
"""


async def scheduled(guest: Any, secret: str = CONTROL, cron: str = "*/5 * * * *", at: object = 1_700_000_000) -> Any:
    call = json.dumps({"cron": cron, "scheduled_at": at})
    return await guest.send("POST", "/", headers={"x-nearhop-control": secret, "x-nearhop-scheduled": call})


async def test_the_service_worker_form(boot: Boot) -> None:
    guest = await boot(SERVICE_WORKER, env={"GREETING": "hello"}, control=CONTROL)
    assert (await guest.get("/", **ARRIVING)).text == "hello GET JP"
    assert (await guest.get("/bad")).status_code == 500
    await guest.logged("afterwards hello")
    assert (await scheduled(guest)).status_code == 200
    await guest.logged("cron */5 * * * * at 1700000000000")


async def test_a_service_worker_that_does_not_respond_is_an_exception(boot: Boot) -> None:
    guest = await boot("addEventListener('fetch', () => {})")
    assert (await guest.get()).status_code == 500
    await guest.logged("respondWith")


CRON = """
let ran = [];
export default {
  async fetch() { return Response.json(ran) },
  async scheduled(controller, env, ctx) {
    if (controller.cron === "0 0 * * *") throw new Error("no midnight");
    if (controller.cron === "1 0 * * *") return ctx.waitUntil(Promise.reject(new Error("later")));
    ctx.waitUntil(scheduler.wait(20).then(() => ran.push([controller.cron, controller.scheduledTime, env.NAME])));
  },
};
"""


async def test_a_scheduled_call_runs_the_handler_and_what_it_waits_for(boot: Boot) -> None:
    guest = await boot(CRON, control=CONTROL, env={"NAME": "n"})
    assert (await scheduled(guest, at="2023-11-14T22:13:20Z")).status_code == 200
    assert (await guest.get()).json() == [["*/5 * * * *", 1_700_000_000_000, "n"]]
    failed = await scheduled(guest, cron="0 0 * * *")
    assert (failed.status_code, failed.text.splitlines()[0]) == (500, "Error: no midnight")
    assert "later" in (await scheduled(guest, cron="1 0 * * *")).text


async def test_a_scheduled_call_needs_the_secret(boot: Boot) -> None:
    guest = await boot(CRON, control=CONTROL)
    assert (await scheduled(guest, secret="guess")).status_code == 403
    assert (await guest.get()).json() == []
    plain = await boot(worker("return new Response('fetched')"), control=CONTROL)
    assert (await scheduled(plain)).status_code == 500
    assert (await plain.send("POST")).text == "fetched"


async def test_a_class_that_extends_worker_entrypoint(boot: Boot) -> None:
    guest = await boot(
        """
        import { WorkerEntrypoint, env, waitUntil } from "cloudflare:workers";
        export default class extends WorkerEntrypoint {
          async fetch(request) {
            waitUntil(Promise.resolve().then(() => console.log("done later")));
            return Response.json([this.env.A, env.A, typeof this.ctx.waitUntil, this.env === env]);
          }
        }""",
        env={"A": "1"},
    )
    assert (await guest.get()).json() == ["1", "1", "function", True]
    await guest.logged("done later")


async def test_cloudflare_modules_that_are_not_there_say_so(boot: Boot) -> None:
    guest = await boot("import { connect } from 'cloudflare:sockets'; export default { fetch() {} }")
    assert "cloudflare:sockets is not available" in guest.error


CACHE = worker(
    """
    const url = new URL(request.url);
    const cache = url.searchParams.has("named") ? await caches.open("mine") : caches.default;
    const key = new Request("https://cache.example.org" + url.pathname, { headers: request.headers });
    if (request.method === "DELETE") return Response.json(await cache.delete(key));
    if (request.method === "PUT") {
      const headers = JSON.parse(request.headers.get("x-store"));
      const status = Number(request.headers.get("x-status") ?? 200);
      try { return Response.json(await cache.put(key, new Response(await request.text(), { headers, status })) ?? null) }
      catch (error) { return Response.json(error.message) }
    }
    return await cache.match(key) ?? new Response("miss", { status: 404 });
    """
)


async def test_the_cache_keeps_what_may_be_kept(boot: Boot) -> None:
    guest = await boot(CACHE)

    async def put(path: str, headers: dict[str, str], status: str = "200") -> Any:
        sent = {"x-store": json.dumps(headers), "x-status": status}
        return (await guest.send("PUT", path, headers=sent, content=b"0123456789")).json()

    assert await put("/a", {"cache-control": "max-age=60", "etag": '"1"'}) is None
    hit = await guest.get("/a")
    assert (hit.status_code, hit.text, hit.headers["cf-cache-status"]) == (200, "0123456789", "HIT")
    assert (await guest.get("/a?named=1")).status_code == 404
    assert (await guest.get("/a", **{"if-none-match": 'W/"1"'})).status_code == 304
    part = await guest.get("/a", range="bytes=2-4")
    assert (part.status_code, part.text, part.headers["content-range"]) == (206, "234", "bytes 2-4/10")
    assert (await guest.get("/a", range="bytes=20-")).status_code == 416
    assert (await guest.send("DELETE", "/a")).json() is True
    assert (await guest.send("DELETE", "/a")).json() is False
    assert (await guest.get("/a")).status_code == 404

    for name, headers in {
        "no store": {"cache-control": "no-store"},
        "private": {"cache-control": "private, max-age=60"},
        "over": {"expires": "Thu, 01 Jan 1970 00:00:00 GMT"},
        "zero": {"cache-control": "max-age=60, s-maxage=0"},
        "cookie": {"cache-control": "max-age=60", "set-cookie": "a=1"},
    }.items():
        await put(f"/{name[:2]}", headers)
        assert (await guest.get(f"/{name[:2]}")).status_code == 404, name
    await put("/c", {"cache-control": "private=Set-Cookie, max-age=60", "set-cookie": "a=1"})
    assert "set-cookie" not in (await guest.get("/c")).headers
    assert "206" in await put("/p", {}, status="206")
    assert "Vary" in await put("/v", {"vary": "*"})

    await put("/l", {"cache-control": "max-age=60", "vary": "Accept-Language"})
    assert (await guest.get("/l", **{"accept-language": "fr"})).status_code == 404
    assert (await guest.get("/l")).status_code == 200


async def test_the_cache_is_bounded(boot: Boot) -> None:
    guest = await boot(
        worker(
            """
            for (let i = 0; i < 12; i++) {
              const response = new Response(new Uint8Array(2 << 20), { headers: { "cache-control": "max-age=60" } });
              await caches.default.put("https://c.example.org/" + i, response);
            }
            const kept = [];
            for (let i = 0; i < 12; i++) if (await caches.default.match("https://c.example.org/" + i)) kept.push(i);
            try { await caches.default.put(new Request("https://c.example.org/", { method: "POST" }), new Response("")) }
            catch (error) { kept.push(error.message) }
            return Response.json(kept);"""
        )
    )
    assert (await guest.get()).json() == [4, 5, 6, 7, 8, 9, 10, 11, "Cannot cache response to non-GET request."]


REWRITER = worker(
    """
    const path = new URL(request.url).pathname;
    class Lang { element(e) { e.setAttribute("lang", "ja"); e.removeAttribute("class") } }
    const rewriter = new HTMLRewriter()
      .on("html", new Lang())
      .on("p.price", {
        async element(e) { await scheduler.wait(5); e.setInnerContent("¥" + e.getAttribute("data-usd") * 150, { html: false }) },
      })
      .on("h1", { text(t) { if (t.lastInTextNode) t.after("!") } })
      .on("script", { element(e) { e.remove() } })
      .on("ul", { element(e) { e.onEndTag((end) => end.before("<li>last</li>", { html: true })) } })
      .on("*", { comments(c) { c.remove() } })
      .onDocument({ end(end) { end.append("<!-- end -->", { html: true }) } });
    if (path === "/throws") rewriter.on("h1", { element() { throw new Error("handler failed") } });
    if (path === "/selector") { try { rewriter.on("p:::", {}) } catch (error) { return new Response(String(error)) } }
    const html = '<html class="a"><h1>Hi</h1><!-- x --><p class="price" data-usd="2">$2</p><script>1</script><ul><li>1</li></ul></html>';
    const chunks = new ReadableStream({
      start(controller) {
        const bytes = new TextEncoder().encode(html);
        for (let i = 0; i < bytes.length; i += 7) controller.enqueue(bytes.slice(i, i + 7));
        controller.close();
      },
    });
    return rewriter.transform(new Response(chunks, { status: 201, headers: { "content-type": "text/html", "content-length": "9" } }));
    """
)


async def test_html_rewriter(boot: Boot) -> None:
    guest = await boot(REWRITER)
    expected = '<html lang="ja"><h1>Hi!</h1><p class="price" data-usd="2">¥300</p><ul><li>1</li><li>last</li></ul></html><!-- end -->'
    replies = await asyncio.gather(*(guest.get() for _ in range(20)))
    assert {(reply.status_code, reply.text) for reply in replies} == {(201, expected)}
    assert "Error" in (await guest.get("/selector")).text
    with pytest.raises(httpx.RemoteProtocolError):
        await guest.get("/throws")  # the answer had begun: its body ends early
    assert (await guest.get()).text == expected


async def test_many_transformations_with_handlers_that_wait(boot: Boot) -> None:
    guest = await boot(
        worker(
            """
            const n = Number(new URL(request.url).searchParams.get("n"));
            const page = (n) => new Response("<ul>" + Array.from({ length: n % 7 + 1 }, (_, i) => `<li data-i="${i}">x</li>`).join("") + "</ul>");
            const rewrite = (n, inner) => new HTMLRewriter().on("li", {
              async element(e) {
                await scheduler.wait((n * 7 + Number(e.getAttribute("data-i")) * 13) % 11);
                const text = inner ? (await rewrite(n + 1, false).transform(page(n + 1)).text()).length : n;
                e.setInnerContent(`${text}-${e.getAttribute("data-i")}`).setAttribute("class", "c" + n);
              },
            });
            return rewrite(n, n % 3 === 0).transform(page(n));"""
        )
    )

    def page(n: int, text: int | None = None) -> str:
        shown = n if text is None else text
        return "<ul>" + "".join(f'<li data-i="{i}" class="c{n}">{shown}-{i}</li>' for i in range(n % 7 + 1)) + "</ul>"

    for _ in range(3):
        replies = await asyncio.gather(*(guest.get(f"/?n={n}") for n in range(40)))
        expected = [page(n, len(page(n + 1)) if n % 3 == 0 else None) for n in range(40)]
        assert [reply.text for reply in replies] == expected


SOCKET = worker(
    """
    if (request.headers.get("Upgrade") !== "websocket") return new Response("Expected Upgrade: websocket", { status: 426 });
    const [client, server] = Object.values(new WebSocketPair());
    server.accept();
    server.addEventListener("message", (event) => {
      if (event.data === "bye") return server.close(4001, "as you wish");
      server.send(typeof event.data === "string" ? "echo " + event.data : event.data);
    });
    server.addEventListener("close", (event) => console.log("closed", event.code));
    server.send("hello");
    return new Response(null, { status: 101, webSocket: client });
    """
)


async def test_web_sockets(boot: Boot) -> None:
    guest = await boot(SOCKET)
    assert (await guest.get()).status_code == 426
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(guest.socket))) as client:
        async with client.ws_connect("http://a.example.org/") as socket:
            assert await socket.receive_str() == "hello"
            await socket.send_str("one")
            assert await socket.receive_str() == "echo one"
            await socket.send_bytes(b"\x00\x01")
            assert await socket.receive_bytes() == b"\x00\x01"
            await socket.send_str("bye")
            end = await socket.receive()
            assert (end.type, end.data, end.extra) == (aiohttp.WSMsgType.CLOSE, 4001, "as you wish")
        async with client.ws_connect("http://a.example.org/") as socket:
            await socket.receive_str()
            await socket.close(code=4002)
        await guest.logged("closed 4002")


async def test_the_smaller_globals(boot: Boot) -> None:
    guest = await boot(
        worker(
            """
            const bytes = (text) => new TextEncoder().encode(text);
            const stream = new crypto.DigestStream("SHA-256");
            const writer = stream.getWriter();
            await writer.write(bytes("he"));
            await writer.write(bytes("llo"));
            await writer.close();
            const digest = [...new Uint8Array(await stream.digest)].slice(0, 2);
            let unequal;
            try { crypto.subtle.timingSafeEqual(bytes("a"), bytes("ab")) } catch (error) { unequal = error.name }
            const { readable, writable } = new FixedLengthStream(3);
            const fixed = new Response("abc").body.pipeTo(writable).then(() => "ok");
            const text = await new Response(readable).text();
            const short = new FixedLengthStream(4);
            const failed = new Response("abc").body.pipeTo(short.writable).catch((error) => error.name);
            await new Response(short.readable).text().catch(() => {});
            const through = await new Response(new Response("xyz").body.pipeThrough(new IdentityTransformStream())).text();
            const before = Date.now();
            await scheduler.wait(15);
            return Response.json([
              digest, Number(stream.bytesWritten), crypto.subtle.timingSafeEqual(bytes("ab"), bytes("ab")),
              crypto.subtle.timingSafeEqual(bytes("ab"), bytes("ac")), unequal, text, await fixed, await failed, through,
              Date.now() - before >= 10,
            ]);"""
        )
    )
    assert (await guest.get()).json() == [
        [44, 242], 5, True, False, "TypeError", "abc", "ok", "TypeError", "xyz", True
    ]  # fmt: skip


async def test_subrequests_are_counted_for_each_request(boot: Boot) -> None:
    source = worker(
        """
        const asked = Number(new URL(request.url).searchParams.get("n"));
        let refused = "";
        for (let i = 0; i < asked; i++) {
          try { await fetch("http://127.0.0.1:1/") } catch (error) { if (String(error).includes("Too many")) refused = String(error) }
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
        if (refused && request.headers.has("x-throw")) await fetch("http://127.0.0.1:1/");
        return new Response(refused);
        """
    )
    guest = await boot(source, limits={"subrequests": 5})
    replies = await asyncio.gather(*(guest.get("/?n=5") for _ in range(6)), guest.get("/?n=6"))
    assert [reply.text for reply in replies] == [""] * 6 + ["Error: Too many subrequests."]
    await guest.logged("limit: exceeded_subrequests: more than 5 outgoing requests")
    thrown = await guest.get("/?n=6", **{"x-throw": "1", "accept": "application/json"})
    assert (thrown.status_code, thrown.json()["reason"]) == (500, "exceeded_subrequests")
    free = await boot(source)
    assert (await free.get("/?n=60")).text == ""


async def test_a_hidden_fetch_is_counted_too(boot: Boot) -> None:
    guest = await boot(
        worker(
            """
            const hidden = globalThis["fet" + "ch"];
            let refused = 0;
            for (let i = 0; i < 20; i++) await hidden("http://127.0.0.1:1/").catch((error) => refused += String(error).includes("Too many"));
            return Response.json(refused);"""
        ),
        limits={"subrequests": 5},
    )
    assert (await guest.get()).json() == 15


async def test_pass_through_without_an_origin_is_the_500_page(boot: Boot) -> None:
    guest = await boot(worker("ctx.passThroughOnException(); throw new Error('x')"))
    assert (await guest.get()).headers["x-nearhop-reason"] == "exception"


async def test_what_cloudflare_keeps_from_before_the_standards(boot: Boot) -> None:
    guest = await boot(
        worker(
            """
            const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
            const text = new TextEncoder().encode("a");
            const made = new Request("https://example.org/", { cf: { cacheTtl: 5 } });
            const headers = new Headers([["set-cookie", "a=1"], ["set-cookie", "b=2"]]);
            let wrong;
            try { headers.getAll("x-a") } catch (error) { wrong = error.name }
            return Response.json([
              hex(await crypto.subtle.digest("MD5", text)), hex(await crypto.subtle.digest({ name: "md5" }, text.buffer)),
              hex(await crypto.subtle.digest("SHA-1", text)), made.cf, new Request(made, { method: "POST" }).cf,
              new Request("https://example.org/").cf ?? null, headers.getAll("Set-Cookie"), wrong,
            ]);"""
        )
    )
    md5 = "0cc175b9c0f1b6a831c399e269772661"
    assert (await guest.get()).json() == [
        md5, md5, "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8", {"cacheTtl": 5}, {"cacheTtl": 5}, None, ["a=1", "b=2"], "TypeError",
    ]  # fmt: skip
