"""The Deno dialect in real guests, beside its forms of Deno.serve (test_guest.py)."""

import json

import aiohttp

from tests.node.sandbox.guests import CONTROL, Boot


async def test_the_environment(boot: Boot) -> None:
    guest = await boot(
        """
        import process from "node:process";
        const refused = [];
        for (const attempt of [() => Deno.env.set("A", "2"), () => Deno.env.delete("A"), () => Deno.exit(1)]) {
          try { attempt() } catch (error) { refused.push(error instanceof Deno.errors.NotSupported) }
        }
        Deno.serve(() => Response.json([
          Deno.env.get("A"), Deno.env.has("A"), Deno.env.has("toString"), Deno.env.get("DENO_REGION"), Deno.env.get("DENO_DEPLOYMENT_ID"),
          Deno.env.toObject().DENO_DEPLOY, process.env.A, refused, typeof Deno.version.deno, Deno.build.os, navigator.userAgent.slice(0, 5),
        ]));""",
        "deno",
        env={"A": "1"},
        region="tokyo",
        function="shop",
        version=3,
    )
    expected = ["1", True, False, "tokyo", "shop-3", "true", "1", [True, True, True], "string", "linux", "Deno/"]
    assert (await guest.get()).json() == expected


REFUSED = {
    "Deno.readTextFile('/etc/passwd')": 'Requires read access to "/etc/passwd", run again with the --allow-read flag',
    "Deno.readFileSync(new URL('file:///a%20b'))": 'Requires read access to "/a b", run again with the --allow-read flag',
    "Deno.writeTextFile('/x', '')": 'Requires write access to "/x", run again with the --allow-write flag',
    "Deno.open('/x')": 'Requires read access to "/x", run again with the --allow-read flag',
    "Deno.connect({ hostname: '192.0.2.1', port: 22 })": 'Requires net access to "192.0.2.1:22", run again with the --allow-net flag',
    "Deno.listen({ port: 80 })": 'Requires net access to "0.0.0.0:80", run again with the --allow-net flag',
    "new Deno.Command('ls')": 'Requires run access to "ls", run again with the --allow-run flag',
    "Deno.hostname()": 'Requires sys access to "hostname", run again with the --allow-sys flag',
    "Deno.makeTempFile()": "Requires write access to <TMP>, run again with the --allow-write flag",
}


async def test_files_and_sockets_are_refused_in_deno_s_words(boot: Boot) -> None:
    attempts = ",".join(f"{json.dumps(code)}: async () => await ({code})" for code in REFUSED)
    guest = await boot(
        f"""
        const attempts = {{ {attempts} }};
        Deno.serve(async () => {{
          const said = {{}};
          for (const [code, attempt] of Object.entries(attempts)) {{
            try {{ await attempt(); said[code] = "OPEN" }}
            catch (error) {{ said[code] = error instanceof Deno.errors.NotCapable && error.name === "NotCapable" ? error.message : String(error) }}
          }}
          return Response.json(said);
        }});""",
        "deno",
    )
    assert (await guest.get()).json() == REFUSED


async def test_what_is_not_offered_is_not_there(boot: Boot) -> None:
    names = ["stdin", "stdout", "createHttpClient", "internal", "core", "resolveDns", "FsFile", "serveHttp"]
    guest = await boot(
        f"Deno.serve(() => Response.json({json.dumps(names)}.filter((name) => Deno[name] !== undefined)))", "deno"
    )
    assert (await guest.get()).json() == []


async def test_serve_returns_a_server(boot: Boot) -> None:
    guest = await boot(
        """
        let listened;
        const server = Deno.serve({ port: 1234, onListen: (address) => listened = address }, () => Response.json([
          listened, server.addr, server.finished instanceof Promise, typeof server.shutdown, typeof server.ref]));""",
        "deno",
    )
    address = {"transport": "tcp", "hostname": "0.0.0.0", "port": 80}
    assert (await guest.get()).json() == [address, address, True, "function", "function"]


async def test_web_sockets(boot: Boot) -> None:
    guest = await boot(
        """
        Deno.serve((request) => {
          if (request.headers.get("upgrade") !== "websocket") return new Response(null, { status: 426 });
          const { socket, response } = Deno.upgradeWebSocket(request);
          socket.onmessage = (event) => socket.send("echo " + event.data);
          return response;
        });""",
        "deno",
    )
    assert (await guest.get()).status_code == 426
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(guest.socket))) as client,
        client.ws_connect("http://a.example.org/") as socket,
    ):
        await socket.send_str("one")
        assert await socket.receive_str() == "echo one"


async def test_crons(boot: Boot) -> None:
    guest = await boot(
        """
        let runs = 0;
        Deno.cron("count", "*/5 * * * *", { backoffSchedule: [1000] }, async () => { await 1; runs++ });
        Deno.cron("fail", "0 0 * * *", () => { throw new Error("no midnight") });
        Deno.serve(() => Response.json(runs));""",
        "deno",
        control=CONTROL,
    )

    async def scheduled(cron: str) -> tuple[int, str]:
        call = json.dumps({"cron": cron, "scheduled_at": 1})
        reply = await guest.send("POST", "/", headers={"x-nearhop-control": CONTROL, "x-nearhop-scheduled": call})
        return reply.status_code, reply.text.split("\n")[0]

    assert await scheduled("*/5 * * * *") == (200, "")
    assert (await guest.get()).json() == 1
    assert await scheduled("0 0 * * *") == (500, "Error: no midnight")
    assert (await scheduled("1 1 * * *"))[0] == 500


async def test_the_program_is_the_one_that_was_started(boot: Boot) -> None:
    guest = await boot(
        """
        Deno.test("adds", () => { throw new Error("not now") });
        Deno.test.ignore("never", () => {});
        if (import.meta.main) Deno.serve(() => new Response(`main ${import.meta.main}`));""",
        "deno",
    )
    assert (guest.error, (await guest.get()).text) == ("", "main true")


async def test_caches(boot: Boot) -> None:
    guest = await boot(
        """
        Deno.serve(async (request) => {
          const cache = await caches.open("mine");
          const found = await cache.match(request);
          if (found) return found;
          const made = new Response("made", { headers: { "cache-control": "max-age=60", "x-made": "once" } });
          await cache.put(request, made.clone());
          return new Response("fresh");
        });""",
        "deno",
    )
    assert [(await guest.get("/a")).text for _ in range(2)] == ["fresh", "made"]
