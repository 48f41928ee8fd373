// The Workers dialect: export default { fetch(request, env, ctx), scheduled(controller, env, ctx) }, a class that extends WorkerEntrypoint,
// or the service-worker form.

import type { Program } from "../answer.ts";
import { controlled, type Scheduled } from "../control.ts";
import type { Given, Load } from "../dialect.ts";
import { arrived } from "../request.ts";
import type { Place } from "../geo.ts";
import { bindings } from "./bindings.ts";
import { ExecutionContext, ScheduledContext, watch } from "./context.ts";
import { installIncoming } from "./incoming.ts";

type Env = Record<string, unknown>;
type Fetch = (request: Request, env: Env, context: ExecutionContext) => unknown;
type Run = (event: Scheduled & { type: string; noRetry(): void }, env: Env, context: ExecutionContext) => unknown;

interface Entry {
  fetch?: Fetch;
  scheduled?: Run;
}

const EXTRAS = /\btimingSafeEqual\b|\bDigestStream\b|\bFixedLengthStream\b|\bIdentityTransformStream\b|\bscheduler\b|["'`]md5["'`]/i;

/** Load what the program's text names while files can still be read. */
export async function prepare(given: Given): Promise<(load: Load) => Promise<Program>> {
  const { host, settings, source, services } = given;
  const named = (pattern: RegExp) => pattern.test(source);
  const caches = named(/\bcaches\b/) ? await import("./cache.ts") : undefined;
  const sockets = named(/\bWebSocketPair\b|\bwebSocket\b|["'`]websocket["'`]/) ? await import("./websocket.ts") : undefined;
  const events = named(/\baddEventListener\b/) ? await import("./events.ts") : undefined;
  const rewriter = named(/\bHTMLRewriter\b/) ? await import("./rewriter.ts") : undefined;
  const extras = named(EXTRAS) ? await import("./extras.ts") : undefined;
  const HTMLRewriter = await rewriter?.makeRewriter(host);
  await extras?.installExtras(source);

  return async (load) => {
    const env = bindings(settings, services);
    Object.defineProperty(Navigator.prototype, "userAgent", { configurable: true, enumerable: true, get: () => "Cloudflare-Workers" });
    installIncoming(settings);
    installModule(env);
    if (HTMLRewriter !== undefined) Object.assign(globalThis, { HTMLRewriter });
    if (caches !== undefined) Object.assign(globalThis, caches.makeCaches());
    const finish = sockets?.installWebSockets(host);
    const listeners = events?.listenForEvents(env);

    const entry = entryOf((await load()).default);
    const fetch = entry?.fetch ?? (listeners?.handles("fetch") ? listeners.fetch : undefined);
    const scheduled = entry?.scheduled ?? (listeners?.handles("scheduled") ? listeners.scheduled : undefined);
    if (fetch === undefined && scheduled === undefined) {
      throw new TypeError(
        "the program exports no handler: a Worker has `export default { fetch(request, env, ctx) { ... } }` or `addEventListener('fetch', ...)`",
      );
    }
    let program = handling(given, env, fetch ?? noFetch);
    if (finish !== undefined) program = finish(program);
    return controlled(
      program,
      settings.control,
      scheduled === undefined ? undefined : async (event) => {
        const context = new ScheduledContext();
        if (entry?.scheduled === undefined) listeners!.scheduled(event, context);
        else await entry.scheduled({ ...event, type: "scheduled", noRetry() {} }, env, context);
        await ScheduledContext.settled(context);
      },
    );
  };
}

function noFetch(): never {
  throw new TypeError("Handler does not export a fetch() function.");
}

/** The default export as an object with handlers; of a class, each request gets an instance of its own. */
function entryOf(exported: unknown): Entry | undefined {
  if (typeof exported !== "function") {
    const entry = exported as Entry | undefined;
    return {
      fetch: typeof entry?.fetch === "function" ? (request, env, context) => entry.fetch!(request, env, context) : undefined,
      scheduled: typeof entry?.scheduled === "function" ? (event, env, context) => entry.scheduled!(event, env, context) : undefined,
    };
  }
  const Class = exported as new (context: ExecutionContext, env: Env) => { fetch?(request: Request): unknown; scheduled?(event: unknown): unknown };
  return {
    fetch: typeof Class.prototype?.fetch === "function" ? (request, env, context) => new Class(context, env).fetch!(request) : undefined,
    scheduled: typeof Class.prototype?.scheduled === "function" ? (event, env, context) => new Class(context, env).scheduled!(event) : undefined,
  };
}

function handling({ services, source }: Given, env: Env, fetch: Fetch): Program {
  const { geo, assets } = services;
  const passes = source.includes("passThroughOnException") && assets !== undefined;

  function serve(request: Request, place: Place | null): unknown {
    arrived(request, place);
    const context = new ExecutionContext(request);
    return passes ? withOrigin(request, context) : fetch(request, env, context);
  }

  // The origin of a program that has static assets is those; without any there is no origin to pass a request through to.
  async function withOrigin(request: Request, context: ExecutionContext): Promise<unknown> {
    try {
      return await fetch(request, env, context);
    } catch (error) {
      if (!ExecutionContext.passes(context) || !["GET", "HEAD"].includes(request.method)) throw error;
      watch(Promise.reject(error));
      return await assets!.fetch(request.url, { method: request.method, headers: request.headers });
    }
  }

  if (geo === undefined) return (request) => serve(request, null);
  return (request) => {
    const place = geo.locate(request.headers.get("x-real-ip") ?? "");
    return place instanceof Promise ? place.then((found) => serve(request, found)) : serve(request, place);
  };
}

/** What `import … from "cloudflare:workers"` gives: the import map's entry reads it here. */
function installModule(env: Env): void {
  class WorkerEntrypoint {
    constructor(readonly ctx: ExecutionContext, readonly env: Env) {}
  }
  class DurableObject extends WorkerEntrypoint {}
  class WorkflowEntrypoint extends WorkerEntrypoint {}
  class RpcTarget {}
  const value = Object.freeze({
    env,
    waitUntil: (promise: unknown) => void watch(promise),
    WorkerEntrypoint,
    DurableObject,
    WorkflowEntrypoint,
    RpcTarget,
  });
  Object.defineProperty(globalThis, Symbol.for("nearhop.workers"), { value, configurable: true }); // a rehearsal takes it back
}
