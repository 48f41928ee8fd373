// The trusted code inside a sandbox: it listens on the slot's socket, gives its own permissions away, takes the program from standard input,
// closes the doors to the host, imports the program and tells the agent that it is ready. The program is never named by a path, because
// static imports of a path are not permission-checked; a Blob URL's are.
//
// Standard input: one line of JSON ({ dialect }), then the program's source, to the end. Standard output: one JSON object a line,
// { event: "ready" | "failed" | "log", ... }. The agent trusts none of it: a program may write there too.

import { installConsole, report } from "./report.ts";
import { adaptRequests } from "./request.ts";
import { closeDoors, preload, safeProcess } from "./doors.ts";
import { loadDeno } from "./deno.ts";
import { loadWorker } from "./worker.ts";
import { answering, type Handler } from "./answer.ts";

const host = Deno;
const socket = host.args[0];
const unavailable = () => new Response(null, { status: 503 });
let handler: Handler = unavailable;

host.serve({ path: socket, onListen() {} }, (request, info) => handler(request, info));
await host.permissions.revoke({ name: "read", path: socket });
await host.permissions.revoke({ name: "write", path: socket });

const input = await new Response(host.stdin.readable).text();
const end = input.indexOf("\n");
const { dialect, sockets } = JSON.parse(input.slice(0, end)) as { dialect: "workers" | "deno"; sockets?: { egress?: string | null } };
const source = input.slice(end + 1);

installConsole(host);
adaptRequests(host, sockets?.egress);
await preload(source);
safeProcess();
closeDoors();

// A program's stray error must not take the requests of its neighbours in the same sandbox with it.
globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  report.error("unhandled rejection", event.reason);
});
globalThis.addEventListener("error", (event) => {
  event.preventDefault();
  report.error("uncaught exception", event.error);
});

const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
try {
  const load = dialect === "deno" ? loadDeno(host) : loadWorker();
  handler = answering(await load(() => import(url)));
  URL.revokeObjectURL(url);
  report.ready();
} catch (error) {
  report.failed(error, url);
}
