// The trusted code inside a sandbox: it listens on the slot's socket, gives its own permissions away, takes the program from standard input,
// closes the doors to the host, imports the program and tells the agent that it is ready. The program is never named by a path, because
// static imports of a path are not permission-checked; those of a data or a Blob URL are.
//
// Standard input: one line of JSON (settings.ts), then the program's source. Standard output: one JSON object a line,
// { event: "listening" | "ready" | "failed" | "log", ... }. The agent trusts none of it: a program may write there too.
//
// All of it is one script (build.sh): each file of its own would add some 0.1 ms to a start. What not every program needs is imported where its text
// asks for it, and runs only then.

import { installConsole, report } from "./report.ts";
import { boundBodies } from "./body.ts";
import { adaptRequests, isInner } from "./request.ts";
import { connectEgress } from "./egress.ts";
import { closeDoors, preload, safeProcess } from "./doors.ts";
import { answering, type Handler } from "./answer.ts";
import { parse, type Settings } from "./settings.ts";
import { look } from "./needs.ts";
import { type Budget, countSubrequests } from "./subrequests.ts";
import { makeStore } from "./store.ts";
import type { Dialect, Services } from "./dialect.ts";

const host = Deno;
const [socket, waits] = host.args; // "waits": whichever program comes, this process is there before it
const PIECE_BYTES = 64 << 10;
const LINE_END = 10;
const DATA_BYTES = 64 << 10;
const decoder = new TextDecoder();
let play = (_handler: Handler) => {};
let begin = play;
const started = new Promise<Handler>((resolve) => begin = resolve);
const hold: Handler = (request, info) => started.then((program) => program(request, info));
let handler = hold; // until there is a program

async function giveUp(path: string): Promise<void> {
  await host.permissions.revoke({ name: "read", path });
  await host.permissions.revoke({ name: "write", path });
}

/** Read what the agent says: a stream of the engine's, or a timer, would take longer to load than this takes in all. */
function read(): { settings: Settings; source: string } {
  let bytes = new Uint8Array(PIECE_BYTES), filled = 0, end = -1;
  let settings: Settings | undefined;
  for (let whole = Infinity; filled < whole;) {
    if (filled === bytes.length) {
      const more = new Uint8Array(2 * filled);
      more.set(bytes);
      bytes = more;
    }
    const room = bytes.subarray(filled);
    const size = host.stdin.readSync(room);
    if (size === null) break;
    filled += size;
    if (settings !== undefined || (end = bytes.subarray(0, filled).indexOf(LINE_END)) < 0) continue;
    settings = parse(decoder.decode(bytes.subarray(0, end)));
    whole = end + 1 + settings.sourceBytes;
  }
  return { settings: settings ?? parse(decoder.decode(bytes.subarray(0, filled))), source: decoder.decode(bytes.subarray(end + 1, filled)) };
}

const dialects: Record<Settings["dialect"], () => Promise<Dialect>> = {
  deno: () => import("./deno.ts"),
  vercel: () => import("./vercel/load.ts"),
  workers: () => import("./workers/load.ts"),
};

/** Close the doors and return what imports the program at *url*. A rehearsal leaves open what cannot be opened again. */
async function prepare(settings: Settings, source: string, rehearses: boolean): Promise<(url: string) => Promise<Handler>> {
  const needs = look(source, settings);
  const dialect = await dialects[settings.dialect]();
  const services: Services = {};
  if (needs.geo) services.geo = (await import("./geo.ts")).connectGeo(host, settings.sockets.geo!);
  if (needs.assets) services.assets = (await import("./assets.ts")).connectAssets(host, settings);
  const start = await dialect.prepare({ host, settings, source, services });
  const store = needs.context ? await makeStore<Budget>(host) : undefined;
  const subrequests = countSubrequests(settings.subrequests, store);
  if (!rehearses) await giveUp(import.meta.dirname!);
  // The engine asks for permission at each new connection, so the sockets of the node's services stay open to the guest. To the program they are
  // not: its fetch() takes no path, and a socket cannot be read as a file.

  boundBodies(settings.requestBody, isInner);
  adaptRequests(subrequests.spend, connectEgress(host, settings.sockets.egress));
  await preload(source);
  safeProcess(settings.env);
  closeDoors(rehearses || settings.dialect === "deno");

  return async (url) => {
    const program = await start(() => import(url));
    return answering(store === undefined ? program : (request, info) => subrequests.run(() => program(request, info)));
  };
}

/** The engine has what a data URL holds at once, and asks around for a blob; but it carries the URL along wherever it names the module. */
function module(source: string): string {
  const bytes = new TextEncoder().encode(source);
  if (bytes.length <= DATA_BYTES) return "data:text/javascript;base64," + bytes.toBase64();
  return URL.createObjectURL(new Blob([bytes], { type: "text/javascript" }));
}

installConsole(host);
if (waits) {
  // The first who asks is the agent, whose request is the last of the rehearsal.
  const staged = new Promise<Handler>((resolve) => play = resolve);
  handler = (request, info) => {
    handler = hold;
    return staged.then((rehearsed) => rehearsed(request, info));
  };
}
host.serve({ path: socket, onListen() {} }, (request, info) => handler(request, info));
await giveUp(socket);

report.listening();
if (waits) {
  const { rehearse } = await import("./rehearsal.ts");
  await rehearse({ prepare, module, play });
}
const { settings, source } = read();

const start = await prepare(settings, source, false);

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
const main = settings.dialect === "deno" && source.includes("import.meta.main") ? "import.meta.main = true; " : "";
const url = module(main + source);
try {
  begin(handler = await start(url));
  URL.revokeObjectURL(url);
  report.ready();
} catch (error) {
  report.failed(error, url);
}
