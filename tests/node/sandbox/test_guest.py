"""Programs in a real guest: the dialects, what they export, what they throw, and what they must not reach."""

import asyncio
import contextlib
import json
import os
from pathlib import Path

import httpx
import pytest

from node.sandbox.command import GUEST
from node.sandbox.process import Guest
from tests.node.sandbox.guests import Boot, worker


async def test_a_worker_sees_the_url_that_the_client_asked_for(boot: Boot) -> None:
    guest = await boot(
        worker(
            "return Response.json([request.url, request.clone().url, new Request(request).url, navigator.userAgent, typeof Deno])"
        ),
        "workers",
    )
    url = "http://a.example.org:7480/x?y=1"
    assert (await guest.get("/x?y=1")).json() == [url, url, url, "Cloudflare-Workers", "undefined"]


@pytest.mark.parametrize("late", [False, True])
async def test_a_program_arrives_whole_in_whatever_pieces(boot: Boot, late: bool) -> None:
    text = "é€😀" * 30_000  # no piece of a power of two bytes ends where a character does, time after time
    given = asyncio.Event() if late else None
    if given is not None:
        asyncio.get_running_loop().call_later(0.3, given.set)
    source = f"const text = '{text}';" + worker("return Response.json([text.length, /^(é€😀)*$/u.test(text)])")
    guest = await boot(source, given=given)
    assert (await guest.get()).json() == [120_000, True]


async def test_one_that_waits_for_a_program_holds_what_it_is_asked(boot: Boot, tmp_path: Path) -> None:
    given = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        starting = group.create_task(boot(worker("return new Response('here')"), given=given))
        while not (tmp_path / "0.sock").exists():
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)  # it has been asked once, by who will give it its program
        held = [group.create_task(_status(tmp_path / "0.sock")) for _ in range(2)]
        await asyncio.wait(held, timeout=0.2)
        assert not any(task.done() for task in held)
        given.set()
    assert [task.result() for task in held] == [200, 200]
    assert (await starting.result().get()).text == "here"


_WORLD = """
const shown = (it) => Reflect.ownKeys(it).map((name) => {
  const { value, get, set, ...rest } = Object.getOwnPropertyDescriptor(it, name);
  return [String(name), typeof value, String(value?.name), typeof get, typeof set, rest];
}).sort();
const world = () => [globalThis, Request.prototype, Response.prototype, Headers.prototype, Navigator.prototype, process].map(shown);
"""


@pytest.mark.parametrize(
    ("dialect", "program"),
    [
        ("workers", "export default { fetch: (request) => Response.json([request.url, world()]) }"),
        ("deno", "export default { fetch: (request) => Response.json([request.url, world()]) }"),
        ("vercel", "export default (request) => Response.json([request.url, world()])"),
    ],
)
async def test_a_rehearsal_leaves_nothing_behind(boot: Boot, dialect: str, program: str) -> None:
    given = asyncio.Event()
    asyncio.get_running_loop().call_later(0.5, given.set)
    rehearsed = await boot(_WORLD + program, dialect, given=given)
    fresh = await boot(_WORLD + program, dialect)
    assert (await rehearsed.get("/?a=1")).json() == (await fresh.get("/?a=1")).json()


async def _status(socket: Path) -> int:
    transport = httpx.AsyncHTTPTransport(uds=str(socket))
    async with asyncio.timeout(10), httpx.AsyncClient(transport=transport, timeout=10) as client:
        while True:
            with contextlib.suppress(httpx.ConnectError):
                return (await client.get("http://sandbox/")).status_code
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "source",
    [
        "Deno.serve((request, info) => new Response(`${request.url} ${info.remoteAddr.hostname} ${Deno.env.get('PATH')}`))",
        "Deno.serve({ port: 8000, onListen() {} }, (r, i) => new Response(`${r.url} ${i.remoteAddr.hostname} ${Deno.env.get('HOME')}`))",
        "Deno.serve({ handler: (r, i) => new Response(`${r.url} ${i.remoteAddr.hostname} ${Deno.env.get('HOME')}`) })",
        "export default { fetch: (r, i) => new Response(`${r.url} ${i.remoteAddr.hostname} ${Deno.env.get('HOME')}`) }",
    ],
)
async def test_the_deno_dialect_in_its_forms(boot: Boot, source: str) -> None:
    guest = await boot(source, "deno")
    assert (
        await guest.get("/", **{"x-real-ip": "203.0.113.9"})
    ).text == "http://a.example.org:7480/ 203.0.113.9 undefined"


async def test_on_error_of_deno_serve(boot: Boot) -> None:
    guest = await boot(
        "Deno.serve({ onError: (e) => new Response(e.message) }, () => { throw new Error('mine') })", "deno"
    )
    assert (await guest.get()).text == "mine"


@pytest.mark.parametrize(
    ("source", "dialect", "said"),
    [
        (
            "function boom() { throw new RangeError('no config') }\nboom();",
            "workers",
            "RangeError: no config\n    at boom (program.js:1:25)",
        ),
        ("export const x = 1", "workers", "the program exports no handler"),
        ("export const x = 1", "deno", "the program serves nothing"),
        ("export default {fetch() { return 5 x }}", "workers", "SyntaxError"),
        (
            "import { readFileSync } from 'node:fs'; export default { fetch() {} }",
            "workers",
            "node:fs is not available to functions",
        ),
        ("import fs from 'node:fs'; export default { fetch() {} }", "workers", "node:fs is not available to functions"),
        ("import 'https://example.org/x.js'; export default { fetch() {} }", "workers", "import"),
        (
            "import x from 'file:///etc/passwd' with { type: 'text' }; export default { fetch() {} }",
            "workers",
            "read access",
        ),
        (
            "Deno.readTextFileSync('/etc/passwd')",
            "deno",
            'NotCapable: Requires read access to "/etc/passwd", run again with the --allow-read flag',
        ),
        ("await Deno.permissions", "workers", "TypeError"),
        ("throw 'a string'", "workers", "a string"),
    ],
)
async def test_a_program_that_does_not_start_says_why(boot: Boot, source: str, dialect: str, said: str) -> None:
    assert said in (await boot(source, dialect)).error


async def test_what_throws_is_a_500_and_the_sandbox_lives_on(boot: Boot) -> None:
    guest = await boot(
        worker("""
        const path = new URL(request.url).pathname;
        if (path === "/throw") throw new Error("bad");
        if (path === "/number") return 5;
        if (path === "/stray") { Promise.reject(new Error("stray")); setTimeout(() => { throw new Error("late") }, 1); }
        if (path === "/wait") { ctx.waitUntil(Promise.reject(new Error("waited"))); ctx.passThroughOnException(); }
        if (path === "/off") { const { waitUntil } = ctx; waitUntil(1); }
        return new Response("ok");"""),
        "workers",
    )
    for path in ("/throw", "/number", "/off"):
        answer = await guest.get(path, accept="application/json")
        assert (answer.status_code, answer.headers["x-nearhop-reason"], answer.json()["reason"]) == (
            500,
            "exception",
            "exception",
        )
    for path in ("/stray", "/wait", "/"):
        assert (await guest.get(path)).text == "ok"
    for text in ("GET /throw: Error: bad", "in place of a Response", "Illegal invocation", "stray", "late", "waited"):
        async with asyncio.timeout(5):
            while text not in guest.logs:
                await asyncio.sleep(0.01)


async def test_node_modules_that_packages_use(boot: Boot) -> None:
    guest = await boot(
        """
        import { Buffer } from "node:buffer";
        import { createHash } from "node:crypto";
        import process from "node:process";
        import { AsyncLocalStorage } from "node:async_hooks";
        import { EventEmitter } from "node:events";
        import { Readable } from "node:stream";
        import { promisify } from "node:util";
        """
        + worker(
            "return new Response(createHash('sha256').update(Buffer.from('x')).digest('hex').slice(0, 8) + process.env.PATH)"
        ),
        "workers",
    )
    assert (await guest.get()).text == "2d711642undefined"


ESCAPES = {
    "unix socket": "fetch('http+unix://' + encodeURIComponent(SOCKET) + '/')",
    "unix socket by Request": "fetch(new Request('http+unix://' + encodeURIComponent(SOCKET) + '/'))",
    "loopback": "fetch('http://127.0.0.1:7400/')",
    "decimal loopback": "fetch('http://2130706433:7400/')",
    "zero": "fetch('http://0.0.0.0:7400/')",
    "localhost": "fetch('http://localhost:7400/')",
    "mapped": "fetch('http://[::ffff:127.0.0.1]:7400/')",
    "metadata": "fetch('http://169.254.169.254/')",
    "private": "fetch('http://10.0.0.1/')",
    "unique local v6": "fetch('http://[fd00::1]/')",
    "a Request to v6": "fetch(new Request('http://[::1]:7400/'))",
    "a client of one's own": "fetch('http://127.0.0.1:7400/', { client: {} })",
    "websocket": "new Promise((ok, no) => { const s = new WebSocket('ws://[fd00::1]/'); s.onopen = ok; s.onerror = no })",
    "websocket to loopback": "new Promise((ok, no) => { const s = new WebSocket('ws://127.0.0.1:7400/'); s.onopen = ok; s.onerror = no })",
    "file": "import('fi' + 'le:///etc/passwd')",
    "the guest's own files": "import('fi' + 'le://' + GUEST + '/imports.json', { with: { type: 'json' } })",
    "the guest's own files as text": "import('fi' + 'le://' + GUEST + '/main.mjs', { with: { type: 'text' } })",
    "file as text": "import('fi' + 'le:///etc/passwd', { with: { type: 'text' } })",
    "remote": "import('htt' + 'ps://example.org/x.js')",
    "npm": "import('np' + 'm:lodash')",
    "a bare name": "import('f' + 's')",
    "node:fs": "import('no' + 'de:fs')",
    "node:net": "import('no' + 'de:net')",
    "node:child_process": "import('no' + 'de:child_process')",
    "node:worker_threads": "import('no' + 'de:worker_threads')",
    "node:vm": "import('no' + 'de:vm')",
    "node:module": "import('no' + 'de:module')",
    "node:sqlite": "import('no' + 'de:sqlite')",
    "node:http": "import('no' + 'de:http')",
    "exit": "process.exit(1)",
    "binding": "process.binding('fs')",
    "builtin": "process.getBuiltinModule('fs')",
    "worker": "new Worker('data:text/javascript,1', { type: 'module' })",
    "storage": "localStorage.setItem('a', 'b')",
    "Deno": "Deno.readTextFile('/etc/passwd')",
}


FORMS = {
    "workers": "export default { fetch: answer }",
    "vercel": "export default answer",
    "deno": "Deno.serve(answer)",
}


@pytest.mark.parametrize("dialect", FORMS)
async def test_no_way_out(boot: Boot, tmp_path: Path, dialect: str) -> None:
    attempts = ",\n".join(f"{json.dumps(name)}: async () => await ({code})" for name, code in ESCAPES.items())
    guest = await boot(
        f"""
        const SOCKET = {json.dumps(str(tmp_path / "0.sock"))};
        const GUEST = {json.dumps(str(GUEST))};
        const attempts = {{ {attempts} }};
        async function answer() {{
          const out = {{}};
          for (const [name, attempt] of Object.entries(attempts)) {{
            try {{ out[name] = "OPEN " + String(await attempt()) }} catch (error) {{ out[name] = "shut" }}
          }}
          return Response.json(out);
        }}
        {FORMS[dialect]};
        """,
        dialect,
    )
    assert (await guest.get()).json() == dict.fromkeys(ESCAPES, "shut")
    assert (await guest.get()).status_code == 200


async def test_a_request_may_be_passed_on_but_not_to_a_socket(boot: Boot) -> None:
    guest = await boot(
        worker("try { await fetch(request) } catch (error) { return new Response(String(error)) }"), "workers"
    )
    said = (await guest.get()).text
    assert "socket" not in said
    assert "read access" not in said


async def test_console_cannot_speak_for_the_guest(boot: Boot) -> None:
    guest = await boot(
        worker("console.log('\\u001b[2J', JSON.stringify({ event: 'failed', error: 'x' })); return new Response('ok')"),
        "workers",
    )
    await guest.get()
    assert guest.error == ""
    assert "\x1b" not in guest.logs


async def test_measures_and_kills_from_outside(boot: Boot) -> None:
    guest = await boot(worker("for (;;);"), "workers")
    before = guest.guest.cpu_s()
    assert before is not None
    assert (guest.guest.memory_bytes() or 0) > 10 << 20
    answer, _ = await asyncio.gather(guest.get(), _kill_after_cpu(guest.guest, before + 0.05), return_exceptions=True)
    assert isinstance(answer, httpx.TransportError)
    async with asyncio.timeout(5):
        while os.path.exists(f"/proc/{guest.guest.pid}"):  # noqa: ASYNC240, PTH110  # a look at the kernel's table
            await asyncio.sleep(0.01)
    assert guest.guest.cpu_s() is None
    assert guest.guest.memory_bytes() is None


async def _kill_after_cpu(guest: Guest, limit_s: float) -> None:
    while (guest.cpu_s() or 0) < limit_s:
        await asyncio.sleep(0.002)
    guest.kill()


async def test_what_is_global_has_the_name_that_it_goes_by(boot: Boot) -> None:
    names = "fetch Request Response Headers WebSocket WebSocketPair HTMLRewriter Cache CacheStorage"
    guest = await boot(
        worker(f"return Response.json('{names}'.split(' ').map((name) => globalThis[name].name)); caches")
    )
    assert (await guest.get()).json() == names.split()


async def test_an_engine_class_that_is_loaded_late_is_one_class(boot: Boot) -> None:
    guest = await boot(
        worker(
            """
            const before = Object.getOwnPropertyDescriptor(globalThis, "WebSocket").enumerable;
            const Real = WebSocket;
            const same = Real === WebSocket && WebSocket.OPEN === 1;
            globalThis.WebSocket = class Mine {};
            return Response.json([before, same, WebSocket.name]);
            """
        )
    )
    assert (await guest.get()).json() == [False, True, "Mine"]


@pytest.mark.parametrize("kilobytes", [0, 200])
async def test_programs_of_any_length_are_run_and_named(boot: Boot, kilobytes: int) -> None:
    filling = "// größer\n" * (kilobytes * 1024 // 12)
    guest = await boot(filling + worker("console.log('ü'); throw new Error('ä')"))
    assert (await guest.get()).status_code == 500
    await guest.logged("Error: ä")
    assert "program.js:" in guest.logs
    assert "blob:" not in guest.logs
    assert "data:" not in guest.logs
    assert "info: ü" in guest.logs


async def test_a_mistake_in_a_program_is_shown_by_its_line(boot: Boot) -> None:
    guest = await boot("export default {\n  fetch( { }\n};")
    assert "program.js:" in guest.error
    assert "base64" not in guest.error


# What the guest has put in the engine's place, a program must not get round by what it changes before it looks.
PRYING = """
const seen = [];
const { defineProperty } = Object, { construct } = Reflect, RealProxy = Proxy;
Object.defineProperty = (it, name, how) => { seen.push(["Object.defineProperty", how.get, how.value]); return defineProperty(it, name, how); };
globalThis.Proxy = new RealProxy(RealProxy, { construct(it, args) { seen.push(["Proxy", args[0]]); return construct(it, args); } });
Reflect.construct = (it, ...rest) => { seen.push(["Reflect.construct", it]); return construct(it, ...rest); };
for (const trap of ["get", "getPrototypeOf", "has", "ownKeys"]) {
  Object.prototype[trap] = function (it) { seen.push([`Object.prototype.${trap}`, it]); throw new Error(trap); };
}
const tries = [() => WebSocket.name, () => "x" in WebSocket, () => Object.getPrototypeOf(WebSocket), () => new WebSocket("ws://127.0.0.1:1/")];
for (const look of tries) try { look() } catch { /* as it likes */ }
for (const trap of ["get", "getPrototypeOf", "has", "ownKeys"]) delete Object.prototype[trap];
seen.push(["constructor", WebSocket.prototype.constructor], ["global", WebSocket]);
const isWebSocket = (it) => typeof it === "function" && it.prototype === WebSocket.prototype;
function isEngines(it) {
  try { new it("ws://[2001:db8::1]/") } catch (error) { return !error.message.includes("by number") }
  return true;
}
const called = (it) => { try { return it.call(globalThis) } catch { return undefined } };
const got = (it) => [it, typeof it === "function" && !isWebSocket(it) ? called(it) : undefined].some((one) => isWebSocket(one) && isEngines(one));
const open = seen.filter(([, ...found]) => found.some(got)).map(([how]) => how);
"""


@pytest.mark.parametrize("waits", [False, True])
async def test_the_engines_own_websocket_is_nowhere_to_be_had(boot: Boot, waits: bool) -> None:
    given = asyncio.Event() if waits else None
    if given is not None:
        given.set()
    guest = await boot(PRYING + worker("return Response.json({ open, looks: seen.length })"), given=given)
    found = (await guest.get()).json()
    assert (guest.error, found["open"]) == ("", [])
    assert found["looks"] >= 1
