// Done once by a process that waits for a program: the whole way of a small one, from its text to its first answer, so that the engine has loaded,
// compiled and laid out all of it when the real one comes. What it has changed of the world is put back, and the program's begins from there.

import { parse, type Settings } from "./settings.ts";
import type { Handler } from "./answer.ts";

export interface Stage {
  prepare(settings: Settings, source: string, rehearses: boolean): Promise<(url: string) => Promise<Handler>>;
  module(source: string): string;
  /** Let *handler* answer. */
  play(handler: Handler): void;
}

// Most programs are Workers, most look at their request, and what counts subrequests costs most where fetch is named.
const SOURCE = `
const out = globalThis.fetch;
export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    const headers = { "content-type": "text/plain", "x-country": request.headers.get("cf-ipcountry") };
    return new Response(pathname + request.method + (env.NAME ?? typeof out), { status: 503, headers });
  },
};`;
const HEADER = {
  dialect: "workers", function: "f", version: 1, digest: "0".repeat(64), node: "n", region: "r", created_at: 0, control: "-",
  env: { NAME: "" }, manifest: { version_binding: "" }, sockets: { egress: "-", geo: null, assets: null },
  limits: { subrequests: 1, request_body_bytes: 1 },
};

type Shape = [object, Map<PropertyKey, PropertyDescriptor>][];

const shapes = () => [globalThis, Request.prototype, Headers.prototype, Response.prototype, Navigator.prototype];

function remember(): Shape {
  return shapes().map((it) => [it, new Map(Reflect.ownKeys(it).map((name) => [name, Object.getOwnPropertyDescriptor(it, name)!]))]);
}

function putBack(shape: Shape): void {
  for (const [it, were] of shape) {
    for (const name of Reflect.ownKeys(it)) if (!were.has(name)) Reflect.deleteProperty(it, name);
    for (const [name, was] of were) if (!same(was, Object.getOwnPropertyDescriptor(it, name))) Object.defineProperty(it, name, was);
  }
}

function same(was: PropertyDescriptor, is: PropertyDescriptor | undefined): boolean {
  return is !== undefined && was.value === is.value && was.get === is.get && was.set === is.set && was.enumerable === is.enumerable;
}

export async function rehearse({ prepare, module, play }: Stage): Promise<void> {
  const shape = remember();
  const start = await prepare(parse(new TextDecoder().decode(new TextEncoder().encode(JSON.stringify(HEADER)))), SOURCE, true);
  const url = module(SOURCE);
  const handler = await start(url);
  URL.revokeObjectURL(url);
  const asked = new Promise<void>((resolve) =>
    play(async (request, info) => {
      const answer = await handler(request, info);
      setTimeout(resolve);
      return answer;
    })
  );
  await asked;
  putBack(shape);
}
