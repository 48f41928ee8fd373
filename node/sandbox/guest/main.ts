// The trusted code inside a sandbox: it listens on the slot's socket, gives its own permissions away, takes the program from standard input,
// closes the doors to the host, imports the program and tells the agent that it is ready. The program is never named by a path, because
// static imports of a path are not permission-checked; a Blob URL's are.
//
// Standard input: one line of JSON (settings.ts), then the program's source, to the end. Standard output: one JSON object a line,
// { event: "ready" | "failed" | "log", ... }. The agent trusts none of it: a program may write there too.
//
// What not every program needs is loaded once its text is known, by a name that is no literal: so it is not in the graph of each start, and
// the program, which may import what is in that graph, cannot reach it.

import { installConsole, report } from "./report.ts";
import { boundBodies } from "./body.ts";
import { adaptRequests, isInner } from "./request.ts";
import { connectEgress } from "./egress.ts";
import { closeDoors, preload, safeProcess } from "./doors.ts";
import { answering, type Handler } from "./answer.ts";
import { parse } from "./settings.ts";
import { look } from "./needs.ts";
import { type Budget, countSubrequests } from "./subrequests.ts";
import { makeStore } from "./store.ts";
import type { Dialect, Services } from "./dialect.ts";

const host = Deno;
const [socket, waits] = host.args; // "waits": whichever program comes, this process is there before it
const PIECE_BYTES = 64 << 10;
const unavailable = () => new Response(null, { status: 503 });
let handler: Handler = unavailable;

async function giveUp(path: string): Promise<void> {
  await host.permissions.revoke({ name: "read", path });
  await host.permissions.revoke({ name: "write", path });
}

/** Read what the agent says: a stream of the engine's, or a timer, would take longer to load than this takes in all. */
async function read(): Promise<string> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for (let first = true;; first = false) {
    const piece = new Uint8Array(PIECE_BYTES);
    // While it waits for the first piece it serves; what follows is on its way.
    const size = first && waits ? await host.stdin.read(piece) : host.stdin.readSync(piece);
    if (size === null) break;
    pieces.push(piece.subarray(0, size));
  }
  return new TextDecoder().decode(pieces.length === 1 ? pieces[0] : await new Blob(pieces).arrayBuffer());
}

/** Do once what every start does, so that the engine is ready for the program that comes; most programs are Workers. */
async function rehearse(): Promise<void> {
  const url = URL.createObjectURL(new Blob(["export default 0;"], { type: "text/javascript" }));
  await import(url);
  URL.revokeObjectURL(url);
  const settings = parse('{"dialect": "workers", "sockets": {"geo": "-"}, "limits": {"subrequests": 1}}');
  look("fetch(", settings);
  const { prepare } = await part("./workers/load.ts") as Dialect;
  await prepare({ host, settings, source: "", services: {} });
}

host.serve({ path: socket, onListen() {} }, (request, info) => handler(request, info));
await giveUp(socket);

const part = (path: string) => import(new URL(path, import.meta.url).href);
const arriving = read();
if (waits) await rehearse();
const input = await arriving;
const end = input.indexOf("\n");
const settings = parse(input.slice(0, end));
const source = input.slice(end + 1);
const needs = look(source, settings);

installConsole(host);
const dialects = { deno: "./deno.ts", vercel: "./vercel/load.ts", workers: "./workers/load.ts" };
const others = ["cache", "events", "extras", "rewriter", "websocket"].map((name) => `./workers/${name}.ts`);
others.push(...["conditions", "crons", "routed"].map((name) => `./vercel/${name}.ts`));
if (settings.everything) { for (const path of [...Object.values(dialects), ...others, "./geo.ts", "./assets.ts"]) await part(path); }
const { prepare } = await part(dialects[settings.dialect]) as Dialect;
const services: Services = {};
if (needs.geo) services.geo = (await part("./geo.ts") as typeof import("./geo.ts")).connectGeo(host, settings.sockets.geo!);
if (needs.assets) services.assets = (await part("./assets.ts") as typeof import("./assets.ts")).connectAssets(host, settings);
const start = await prepare({ host, settings, source, services });
const store = needs.context ? await makeStore<Budget>(host) : undefined;
const subrequests = countSubrequests(settings.subrequests, store);
await giveUp(new URL(".", import.meta.url).pathname.replace(/\/$/, ""));
// The engine asks for permission at each new connection, so the sockets of the node's services stay open to the guest. To the program they are
// not: its fetch() takes no path, and a socket cannot be read as a file.

boundBodies(settings.requestBody, isInner);
adaptRequests(subrequests.spend, connectEgress(host, settings.sockets.egress));
await preload(source);
safeProcess(settings.env);
closeDoors(settings.dialect === "deno");

// A program's stray error must not take the requests of its neighbours in the same sandbox with it.
globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  report.error("unhandled rejection", event.reason);
});
globalThis.addEventListener("error", (event) => {
  event.preventDefault();
  report.error("uncaught exception", event.error);
});

// To Deno the program is the one that was started.
const started = settings.dialect === "deno" && source.includes("import.meta.main") ? "import.meta.main = true; " : "";
const url = URL.createObjectURL(new Blob([started, source], { type: "text/javascript" }));
try {
  const program = await start(() => import(url));
  handler = answering(store === undefined ? program : (request, info) => subrequests.run(() => program(request, info)));
  URL.revokeObjectURL(url);
  report.ready();
} catch (error) {
  report.failed(error, url);
}
