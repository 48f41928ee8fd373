"""The bodies of requests whose headers do not tell how long they are: read up to the function's limit, in every dialect."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.node.sandbox.guests import Boot, Booted, worker
from tests.node.sandbox.outside import Outside

LIMITS = {"request_body_bytes": 100_000}
READING = "`${request.method} ${(await request.clone().text()).length} ${(await request.arrayBuffer()).byteLength} ${request.bodyUsed}`"
FORMS = {
    "workers": worker(f"return new Response({READING})"),
    "deno": f"Deno.serve(async (request) => new Response({READING}))",
    "vercel": f"export async function POST(request) {{ return new Response({READING}) }}",
}


async def upload(guest: Booted, pieces: int, **headers: str) -> httpx.Response:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(pieces):
            yield b"x" * 10_000

    transport = httpx.AsyncHTTPTransport(uds=str(guest.socket))
    async with httpx.AsyncClient(transport=transport, timeout=10) as client:
        return await client.post("http://a.example.org:7480/", content=body(), headers=headers)


@pytest.mark.parametrize("dialect", FORMS)
async def test_no_more_than_the_limit_is_read(boot: Boot, dialect: str) -> None:
    guest = await boot(FORMS[dialect], dialect, limits=LIMITS)
    assert (await upload(guest, 10)).text == "POST 100000 100000 true"
    answer = await upload(guest, 11, accept="application/json")
    assert (answer.status_code, answer.headers["x-nearhop-reason"]) == (413, "exceeded_body")
    assert answer.json() == {"reason": "exceeded_body", "message": "The request's body is too large."}
    await guest.logged("limit: exceeded_body: more than 100000 bytes of a request's body")
    assert (await upload(guest, 10)).text == "POST 100000 100000 true"
    assert (await guest.send("POST", content=b"x" * 10)).text == "POST 10 10 true"


READS = (
    "let n = 0; for await (const chunk of request.body) n += chunk.length; return new Response(n)",
    "return new Response((await request.clone().blob()).size)",
    "return new Response((await request.clone().clone().text()).length)",
    "return new Response((await new Request(request).text()).length)",
    "return new Response((await new Request(request).clone().text()).length)",
    "return new Response((await new Request(new Request(request)).text()).length)",
    "return new Response((await new Request(request.clone()).text()).length)",
    "return new Response((await new request.constructor(request).text()).length)",
    "return new Response((await new (class extends Request {})(request).text()).length)",
    "return new Response((await new Request(request, { headers: { 'content-length': '1' } }).text()).length)",
    "return new Response((await new Request(request.url, request).text()).length)",
    "return new Response((await new Request(request.url, new Request(request)).text()).length)",
    "return new Response((await new Response(request.body).text()).length)",
    "try { await request.text() } catch { /* what it answers then is not asked for */ } return new Response('fine')",
)
HANDLERS = {
    "workers": "export default {{ async fetch(request) {{ {} }} }}",
    "deno": "Deno.serve(async (request) => {{ {} }})",
    "vercel": "export default async function handler(request) {{ {} }}",
}


@pytest.mark.parametrize("dialect", HANDLERS)
@pytest.mark.parametrize("read", READS)
async def test_every_way_to_read_is_bounded(boot: Boot, read: str, dialect: str) -> None:
    guest = await boot(HANDLERS[dialect].format(read), dialect, limits=LIMITS)
    assert (await upload(guest, 9)).status_code == 200
    answer = await upload(guest, 12)
    assert (answer.status_code, answer.headers["x-nearhop-reason"]) == (413, "exceeded_body")


@pytest.mark.parametrize("dialect", HANDLERS)
@pytest.mark.parametrize(
    "passed",
    [
        "request",
        "new Request(request)",
        "request.clone()",
        "request.url, request",
        "request.url, new Request(request)",
        "new Request(request.url, request)",
    ],
)
async def test_what_is_passed_on_is_bounded(boot: Boot, origin: Outside, passed: str, dialect: str) -> None:
    handler = HANDLERS[dialect].format(f"return await fetch({passed})")
    guest = await boot(handler, dialect, limits=LIMITS, **origin.reached)
    host = f"a.example.org:{origin.port}"
    assert (await upload(guest, 9, host=host)).text == "90000"
    answer = await upload(guest, 12, host=host)
    assert (answer.status_code, answer.headers["x-nearhop-reason"]) == (413, "exceeded_body")
    assert origin.whole == 1


async def test_what_is_not_read_is_not_counted_and_forms_are_still_forms(boot: Boot) -> None:
    guest = await boot(worker("return new Response('unread')"), limits=LIMITS)
    assert (await upload(guest, 11)).text == "unread"
    form = await boot(worker("return new Response((await request.formData()).get('a'))"), limits=LIMITS)

    async def body() -> AsyncIterator[bytes]:
        yield b"a=1"

    transport = httpx.AsyncHTTPTransport(uds=str(form.socket))
    async with httpx.AsyncClient(transport=transport, timeout=10) as client:
        kind = {"content-type": "application/x-www-form-urlencoded"}
        assert (await client.post("http://a.example.org/", content=body(), headers=kind)).text == "1"
        empty = await client.post("http://a.example.org/", headers={"content-length": "0"})
        assert empty.status_code == 500
