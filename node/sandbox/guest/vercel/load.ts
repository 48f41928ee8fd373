// The Vercel Edge dialect: export default (request, context), exports named after methods, middleware, several functions of api/.

import type { Program } from "../answer.ts";
import { controlled } from "../control.ts";
import type { Given, Load } from "../dialect.ts";
import type { Place } from "../geo.ts";
import { type Extra, type Extras, known } from "../headers.ts";
import { report } from "../report.ts";
import { arrived, dressRequests, outlive, passedOn } from "../request.ts";
import type { Settings } from "../settings.ts";
import { type Context, makeHandler, type Module } from "./handler.ts";
import type { Cron } from "./crons.ts";
import { type Agree, type FileRoute, fileRoute, type Matcher, matcher } from "./matcher.ts";
import { merged, outcome } from "./middleware.ts";
import type { Routed } from "./routed.ts";
import type { Routing } from "./routing.ts";

/** What vercel.json says, as the made entrypoint exports it. */
interface VercelJson {
  routing?: Routing;
  crons?: Cron[];
}

interface Parts {
  routing?: typeof import("./routed.ts");
  crons?: typeof import("./crons.ts");
  agree?: Agree;
}

type Handler = (request: Request, context: Context) => unknown;
export type Serve = (request: Request) => unknown;
export type Files = { route: FileRoute; handler: Handler }[];

function waitUntil(promise: unknown): void {
  Promise.resolve(promise).catch((error) => report.error("waitUntil", error));
}

function contextOf(request: Request): Context {
  return {
    waitUntil(promise) {
      outlive(request);
      waitUntil(promise);
    },
  };
}

/** Load what the program's text names while files can still be read. */
export async function prepare(given: Given): Promise<(load: Load) => Promise<Program>> {
  const { settings, services, source } = given;
  const parts: Parts = {};
  if (/\bvercelJson\b/.test(source)) {
    parts.routing = await import("./routed.ts");
    parts.crons = await import("./crons.ts");
  }
  if (/\b(?:has|missing)\b["']?\s*:/.test(source)) parts.agree = (await import("./conditions.ts")).agree;
  return async (load) => {
    installGlobals(settings);
    dressRequests(extras(settings.region), () => {});
    const module = await load();
    const { routing, crons = [] } = (module.vercelJson ?? {}) as VercelJson;
    const serve = serving(module, given, routing && parts.routing?.route(routing), parts.agree);
    const program: Program = (request) => {
      const { geo } = services;
      const place = geo === undefined ? null : geo.locate(request.headers.get("x-real-ip") ?? "");
      if (place instanceof Promise) return place.then((found) => (arrived(request, found), serve(request)));
      arrived(request, place);
      return serve(request);
    };
    const call = parts.crons?.calling(crons, settings.function, settings.env.CRON_SECRET, serve);
    return controlled(program, settings.control, crons.length === 0 ? undefined : call);
  };
}

function installGlobals(settings: Settings): void {
  const env = process.env as Record<string, string>;
  Object.assign(
    env,
    { VERCEL: "1", VERCEL_ENV: "production", VERCEL_REGION: settings.region, NODE_ENV: "production", NEXT_RUNTIME: "edge" },
    settings.env,
  );
  const requestContext = { get: () => ({ waitUntil }) };
  Object.assign(globalThis, { EdgeRuntime: "edge-runtime", [Symbol.for("@vercel/request-context")]: requestContext });
}

/** The headers that Vercel adds; the city's name is percent-encoded, since a header holds ASCII only. */
function extras(region: string): Extras {
  const ofPlace = (key: keyof Place): Extra => (_, place) => known(place?.[key]);
  return new Map<string, Extra>([
    ["x-vercel-ip-country", (get, place) => {
      const code = get("x-nearhop-country") ?? "XX";
      return code === "XX" ? place?.country ?? null : code;
    }],
    ["x-vercel-ip-country-region", ofPlace("region_code")],
    ["x-vercel-ip-city", (_, place) => place?.city ? encodeURIComponent(place.city) : null],
    ["x-vercel-ip-latitude", ofPlace("latitude")],
    ["x-vercel-ip-longitude", ofPlace("longitude")],
    ["x-vercel-ip-timezone", ofPlace("timezone")],
    ["x-vercel-ip-postal-code", ofPlace("postal_code")],
    ["x-vercel-ip-continent", ofPlace("continent")],
    ["x-vercel-ip-as-number", ofPlace("asn")],
    ["x-vercel-id", (get) => `${region}::${(get("x-request-id") ?? "").replaceAll("-", "").slice(-16)}`],
    ["x-vercel-forwarded-for", (get) => get("x-forwarded-for")],
    ["x-forwarded-host", (get) => get("host")],
  ]);
}

/** Middleware first where its matcher says so, then the function of the path, then the static files; what vercel.json routes, round it. */
function serving(module: Module, { settings, services }: Given, routed: Routed | undefined, agree: Agree | undefined): Serve {
  const { edge_routes, matchers } = settings.manifest;
  const middleware = middlewareOf(module, edge_routes.length > 0);
  const files: Files = edge_routes.map(({ path, export: name }) => {
    const handler = makeHandler((module[name] ?? {}) as Module);
    if (handler === undefined) throw missing(path);
    return { route: fileRoute(path), handler };
  }).sort((a, b) => a.route.rank < b.route.rank ? -1 : 1);
  const alone = middleware === undefined && edge_routes.length === 0 ? makeHandler(module) : undefined;
  if (alone !== undefined) return (request) => alone(request, contextOf(request));
  if (middleware === undefined && files.length === 0 && routed === undefined) throw missing("the program");

  function asked(request: Request, path: string, among: Files): (() => unknown) | null {
    for (const { route, handler } of among) {
      const params = route.test(path);
      if (params !== null) return () => handler(withParams(request, params), { ...contextOf(request), params: Promise.resolve(params) });
    }
    return null;
  }
  const nothing = () => new Response("The page could not be found\n", { status: 404, headers: { "x-vercel-error": "NOT_FOUND" } });
  const onwards: Serve = routed?.onwards(files, asked, services.assets, nothing) ?? ((request) => {
    const own = asked(request, new URL(request.url).pathname, files);
    return own === null ? services.assets?.fetch(request) ?? nothing() : own();
  });

  let serve = onwards;
  if (middleware !== undefined) {
    const matches = matcher(matchers.length > 0 ? matchers : ownMatchers(module), agree);
    serve = async (request) => {
      if (!matches(request)) return onwards(request);
      const decided = outcome(await middleware(request, contextOf(request)), request);
      if ("answer" in decided) return decided.answer;
      const elsewhere = new URL(decided.request.url).host !== new URL(request.url).host;
      const answer = elsewhere ? await fetch(decided.request, { redirect: "manual" }) : await onwards(decided.request);
      if (!(answer instanceof Response)) return answer;
      const made = merged(answer, decided.headers);
      routed?.standsFor(made, answer);
      return made;
    };
  }
  return routed?.around(serve) ?? serve;
}

const missing = (what: string) =>
  new TypeError(
    `No default or HTTP-named export was found at ${what}: an edge function has \`export default function (request) { ... }\` or \`export function GET(request) { ... }\``,
  );

/** The middleware: the export of that name (a function, or the module's namespace), or the default export of a module with config.matcher. */
function middlewareOf(module: Module, beside: boolean): Handler | undefined {
  const named = module.middleware ?? module.proxy;
  if (typeof named === "function") return named as Handler;
  if (typeof named === "object" && named !== null) {
    const inner = named as Module;
    return (inner.middleware ?? inner.proxy ?? inner.default) as Handler | undefined;
  }
  const declared = (module.config as { matcher?: unknown } | undefined)?.matcher !== undefined;
  return (declared || beside) && typeof module.default === "function" ? module.default as Handler : undefined;
}

/** The module's own config.matcher: strings, or objects whose source is one. */
function ownMatchers(module: Module): (string | Matcher)[] {
  const inner = typeof module.middleware === "object" && module.middleware !== null ? module.middleware as Module : module;
  const { matcher } = (inner.config ?? {}) as { matcher?: unknown };
  return (Array.isArray(matcher) ? matcher : matcher === undefined ? [] : [matcher]) as (string | Matcher)[];
}

/** Vercel adds what [name] matched to the query. */
function withParams(request: Request, params: Record<string, string>): Request {
  if (Object.keys(params).length === 0) return request;
  const url = new URL(request.url);
  for (const [name, value] of Object.entries(params)) url.searchParams.set(name, value);
  return passedOn(url.href, request);
}
