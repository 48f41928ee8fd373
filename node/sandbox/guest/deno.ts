// The Deno dialect: Deno.serve(handler) in its forms, or export default { fetch(request, info) }.

import type { Program } from "./answer.ts";
import { controlled, type Scheduled } from "./control.ts";
import type { Given, Load } from "./dialect.ts";
import { isInner, makeOf } from "./request.ts";
import type { Settings } from "./settings.ts";

type ServeHandler = (request: Request, info: unknown) => unknown;

interface ServeOptions {
  handler?: ServeHandler;
  signal?: AbortSignal;
  onListen?(address: { transport: "tcp"; hostname: string; port: number }): void;
  onError?(error: unknown): unknown;
}

const ADDRESS = { transport: "tcp", hostname: "0.0.0.0", port: 80 } as const;

export async function prepare({ host, settings, source }: Given): Promise<(load: Load) => Promise<Program>> {
  const caches = /\bcaches\b/.test(source) ? await import("./workers/cache.ts") : undefined;
  return async (load) => {
    let served: ServeHandler | undefined;
    const crons: { schedule: string; handler: () => unknown }[] = [];
    const finished = Promise.withResolvers<void>();

    function serve(first: ServeHandler | ServeOptions, second?: ServeHandler) {
      const options = typeof first === "function" ? {} : first ?? {};
      const handler = typeof first === "function" ? first : second ?? options.handler;
      if (typeof handler !== "function") throw new TypeError("Deno.serve needs a handler");
      if (served !== undefined) throw new TypeError("Deno.serve was called twice: a function has one handler");
      served = options.onError === undefined ? handler : guarded(handler, options.onError);
      options.onListen?.(ADDRESS);
      options.signal?.addEventListener("abort", () => finished.resolve(), { once: true });
      // The platform ends the process, the program cannot: shutdown() is kept as a promise of that end.
      const shutdown = () => {
        finished.resolve();
        return finished.promise;
      };
      return { addr: ADDRESS, finished: finished.promise, shutdown, ref() {}, unref() {}, [Symbol.asyncDispose]: shutdown };
    }

    function cron(name: string, schedule: string | object, second: unknown, third?: unknown): Promise<void> {
      const handler = [second, third].find((item) => typeof item === "function") as (() => unknown) | undefined;
      if (typeof name !== "string" || typeof schedule !== "string") {
        throw new TypeError("Deno.cron(name, schedule, handler): the schedule is a cron expression here");
      }
      if (handler === undefined) throw new TypeError("Deno.cron needs a handler");
      crons.push({ schedule, handler });
      return new Promise(() => {});
    }

    const value = Object.freeze({ ...visible(host, settings), serve, cron });
    Object.defineProperty(globalThis, "Deno", { value, configurable: false, writable: false }); // see closeDoors()

    makeOf(isInner);
    if (caches !== undefined) Object.assign(globalThis, caches.makeCaches());
    const entry = (await load()).default as { fetch?: ServeHandler; onListen?: ServeOptions["onListen"] } | undefined;
    const handler = served ?? entry?.fetch?.bind(entry);
    if (handler === undefined) {
      throw new TypeError("the program serves nothing: it calls `Deno.serve(handler)` or has `export default { fetch(request) { ... } }`");
    }
    if (served === undefined) entry?.onListen?.(ADDRESS);
    const program: Program = (request, info) => handler(request, informed(request, info));
    return controlled(program, settings.control, crons.length === 0 ? undefined : (event) => run(crons, event));
  };
}

async function run(crons: { schedule: string; handler: () => unknown }[], event: Scheduled): Promise<void> {
  const due = crons.filter(({ schedule }) => schedule.trim().split(/\s+/).join(" ") === event.cron);
  if (due.length === 0) throw new Error(`no Deno.cron of the program has the schedule ${event.cron}`);
  for (const { handler } of due) await handler();
}

function guarded(handler: ServeHandler, onError: (error: unknown) => unknown): ServeHandler {
  return async (request, info) => {
    try {
      return await handler(request, info);
    } catch (error) {
      return await onError(error);
    }
  };
}

/** The connection is the ingress'; the program is told of the client's. */
function informed(request: Request, info: Deno.ServeHandlerInfo): unknown {
  return {
    get remoteAddr() {
      return { transport: "tcp", hostname: request.headers.get("x-real-ip") ?? "0.0.0.0", port: 0 };
    },
    get completed() {
      return info.completed; // to have looked at it spoils an upgrade of the connection
    },
  };
}

function variables({ env, region, digest, function: name, version }: Settings): Record<string, string> {
  return {
    DENO_DEPLOY: "true",
    DENO_DEPLOYMENT_ID: `${name}-${version}`,
    DENO_DEPLOY_APP_SLUG: name,
    DENO_DEPLOY_BUILD_ID: digest.slice(0, 12),
    DENO_REGION: region,
    DENO_TIMELINE: "production",
    ...env,
  };
}

// What Deno has and a function may not: its name, the permission that Deno would ask for, and whether it names a path.
const READS = "readTextFile readFile readDir readLink realPath stat lstat open watchFs".split(" ");
const WRITES = "writeTextFile writeFile mkdir makeTempDir makeTempFile remove rename copyFile chmod chown link symlink truncate create utime".split(
  " ",
);
const NETS = "connect connectTls listen listenTls listenDatagram startTls".split(" ");
const SYSTEM = "hostname osRelease osUptime loadavg networkInterfaces systemMemoryInfo uid gid".split(" ");
const SYNCHRONOUS = new Set(["listen", "listenTls", "listenDatagram", "watchFs", ...SYSTEM]);

/** What is left of the Deno namespace: what computes as it is, what would reach the host as a refusal in Deno's own words. */
function visible(host: typeof Deno, settings: Settings): Record<string, unknown> {
  const { NotCapable, NotSupported } = host.errors;
  const refuse = (access: string, subject: string, flag = access): never => {
    throw new NotCapable(`Requires ${access} access to ${subject}, run again with the --allow-${flag} flag`);
  };
  const refused: Record<string, unknown> = {};
  const add = (name: string, access: string, subject: (args: unknown[]) => string) => {
    const now = (...args: unknown[]) => refuse(access, subject(args));
    // deno-lint-ignore require-await
    refused[name] = SYNCHRONOUS.has(name) ? now : async (...args: unknown[]) => now(...args);
    if ((access === "read" || access === "write") && !SYNCHRONOUS.has(name)) refused[`${name}Sync`] = now;
  };
  const path = ([first]: unknown[]) =>
    first === undefined || typeof first === "object" && !(first instanceof URL)
      ? "<TMP>"
      : JSON.stringify(first instanceof URL ? decodeURIComponent(first.pathname) : String(first));
  const address = ([options]: unknown[]) => {
    const { hostname = "0.0.0.0", port = 0, path } = (options ?? {}) as { hostname?: string; port?: number; path?: string };
    return JSON.stringify(path === undefined ? `${hostname}:${port}` : `unix:${path}`);
  };
  for (const name of READS) add(name, "read", path);
  for (const name of WRITES) add(name, "write", path);
  for (const name of NETS) add(name, "net", address);
  for (const name of SYSTEM) add(name, "sys", () => JSON.stringify(name));
  const unsupported = () => {
    throw new NotSupported("The operation is not supported");
  };
  return {
    ...refused,
    test: unrun(),
    bench: unrun(),
    Command: class Command {
      constructor(command: string | URL) {
        refuse("run", JSON.stringify(String(command)));
      }
    },
    cwd: () => "/",
    chdir: (path: string) => refuse("read", JSON.stringify(String(path))),
    dlopen: () => refuse("ffi", "<PATH>", "ffi"),
    execPath: () => refuse("read", "<exec_path>"), // node:worker_threads asks for it as it loads, and so has no workers
    exit: unsupported,
    kill: unsupported,
    addSignalListener() {}, // signals end the process before a listener could hear of them
    removeSignalListener() {},
    openKv: unsupported,
    permissions: permissions(),
    env: environment(variables(settings), unsupported),
    args: [],
    pid: 1,
    ppid: 0,
    mainModule: "file:///program.js",
    version: host.version,
    build: host.build,
    errors: host.errors,
    inspect: host.inspect,
    upgradeWebSocket: host.upgradeWebSocket,
    noColor: true,
    refTimer: host.refTimer,
    unrefTimer: host.unrefTimer,
    memoryUsage: () => ({ rss: 0, heapTotal: 0, heapUsed: 0, external: 0 }),
  };
}

/** Deno.test in a program that is started and not tested: nothing. */
function unrun() {
  const nothing = () => {};
  return Object.assign(() => {}, { ignore: nothing, only: nothing, skip: nothing, beforeAll: nothing, beforeEach: nothing, afterEach: nothing, afterAll: nothing });
}

function environment(values: Record<string, string>, refuse: () => never) {
  return Object.freeze({
    get: (name: string): string | undefined => Object.hasOwn(values, name) ? values[name] : undefined,
    has: (name: string): boolean => Object.hasOwn(values, name),
    toObject: (): Record<string, string> => ({ ...values }),
    set: refuse,
    delete: refuse,
  });
}

function permissions() {
  const querySync = ({ name }: { name: string }) => {
    const status = new EventTarget();
    return Object.assign(status, { state: name === "net" || name === "env" ? "granted" : "denied", onchange: null, partial: false });
  };
  // deno-lint-ignore require-await
  const query = async (descriptor: { name: string }) => querySync(descriptor);
  return Object.freeze({ query, querySync, request: query, requestSync: querySync, revoke: query, revokeSync: querySync });
}
