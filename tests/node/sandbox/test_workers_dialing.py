"""WebSockets that a Worker opens: fetch() with `Upgrade: websocket`, by the egress proxy and within the count of subrequests."""

import aiohttp
import pytest

from tests.node.sandbox.guests import Boot, Booted, worker
from tests.node.sandbox.outside import ELSEWHERE, HOME, Outside

TALK = """
const url = new URL(request.url).searchParams.get("to");
const response = await fetch(url, { headers: { Upgrade: "websocket", "x-token": "t", Host: "other.example.org", "Sec-WebSocket-Protocol": "chat" } });
const socket = response.webSocket;
if (!socket) return Response.json({ status: response.status });
const heard = [];
const closed = new Promise((resolve) => socket.addEventListener("close", (event) => resolve([event.code, event.reason])));
await new Promise((resolve) => setTimeout(resolve, 20)); // what comes before accept() is kept
socket.accept();
socket.addEventListener("message", (event) => {
  heard.push(typeof event.data === "string" ? event.data : [...new Uint8Array(event.data)]);
  if (heard.length === 1) socket.send("one");
  else if (heard.length === 2) socket.send(new Uint8Array([1, 2]));
  else socket.send("bye");
});
return Response.json({ status: response.status, protocol: response.headers.get("sec-websocket-protocol"), closed: await closed, heard });
"""


async def started(boot: Boot, origin: Outside, body: str, **limits: int) -> Booted:
    guest = await boot(worker(body), limits=limits, **origin.reached)
    assert guest.error == ""
    return guest


async def test_a_conversation(boot: Boot, origin: Outside) -> None:
    guest = await started(boot, origin, TALK)
    assert (await guest.get(f"/?to={origin.url}socket?q")).json() == {
        "status": 101, "protocol": "chat", "closed": [4001, "as you wish"], "heard": ["hello q", "echo one", [1, 2]],
    }  # fmt: skip
    [head] = origin.heads
    assert (head["x-token"], head["host"]) == ("t", origin.url.removeprefix("http://").rstrip("/"))


async def test_a_server_that_does_not_agree(boot: Boot, origin: Outside) -> None:
    guest = await started(boot, origin, TALK)
    assert (await guest.get(f"/?to={origin.url}no")).json() == {"status": 403}
    assert (await guest.get(f"/?to={origin.url}plain")).json() == {"status": 200}


async def test_it_reaches_no_more_than_fetch(boot: Boot, origin: Outside) -> None:
    guest = await started(boot, origin, f"try {{ {TALK} }} catch (error) {{ return new Response(`${{error}}`) }}")
    for url in (
        f"http://{ELSEWHERE}:{origin.port}/socket", f"http://localhost:{origin.port}/socket", "http://169.254.169.254/", "http://[::1]:7400/",
        "https://10.0.0.1/", f"http://{ELSEWHERE}:7400/", f"{HOME}:22/", "http+unix://%2Frun%2Fx/", "ws://127.91.6.1/", "file:///etc/passwd",
    ):  # fmt: skip
        answer = (await guest.get(f"/?to={url}")).text
        assert "Error" in answer or answer == '{"status":403}', (url, answer)
    assert origin.heads == []


async def test_it_counts_as_a_subrequest(boot: Boot, origin: Outside) -> None:
    body = f"""
    const opened = [];
    for (let i = 0; i < 3; i++) {{
      const {{ webSocket }} = await fetch("{origin.url}socket", {{ headers: {{ upgrade: "websocket" }} }});
      webSocket.accept();
      webSocket.close();
      opened.push(1);
    }}
    return Response.json(opened);
    """
    guest = await started(boot, origin, body, subrequests=2)
    refused = await guest.get()
    assert (refused.status_code, refused.headers["x-nearhop-reason"]) == (500, "exceeded_subrequests")
    assert len(origin.heads) == 2


@pytest.mark.parametrize(
    "body",
    [
        'return fetch(new Request("URL", request)) /* "websocket" */',
        'const { webSocket, status } = await fetch("URL", request); return new Response(null, { status, webSocket })',
    ],
)
async def test_a_client_s_connection_is_passed_on(boot: Boot, origin: Outside, body: str) -> None:
    guest = await started(boot, origin, body.replace("URL", f"{origin.url}socket?through"))
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(guest.socket))) as client,
        client.ws_connect("http://a.example.org/", protocols=["chat"]) as socket,
    ):
        assert await socket.receive_str() == "hello through"
        await socket.send_str("one")
        assert await socket.receive_str() == "echo one"
        await socket.send_bytes(b"\x00")
        assert await socket.receive_bytes() == b"\x00"
        await socket.send_str("bye")
        end = await socket.receive()
        assert (end.data, end.extra) == (4001, "as you wish")


async def test_one_that_is_given_up(boot: Boot, origin: Outside) -> None:
    body = f"""
    const stop = new AbortController();
    stop.abort(new Error("no more"));
    return fetch("{origin.url}socket", {{ headers: {{ upgrade: "websocket" }}, signal: stop.signal }}).catch((e) => new Response(e.message));
    """
    assert (await (await started(boot, origin, body)).get()).text == "no more"
    assert origin.heads == []
