// Requests arrive over a unix socket, so the engine gives them http+unix: URLs. The program sees the http: URL that the client asked for,
// wherever it looks, and a request that it passes on to fetch() goes to that URL and never to a socket.

import { type Egress, egress } from "./egress.ts";

const INNER = "http+unix:";

const readUrl = Object.getOwnPropertyDescriptor(Request.prototype, "url")!.get!;
const realFetch = globalThis.fetch;
const RealRequest = Request;
const ALLOWED = new Set(["http:", "https:", "data:", "blob:"]);

function outer(url: string): string {
  return url.startsWith(INNER) ? "http:" + url.slice(INNER.length) : url;
}

/** Whether the host is an IPv6 literal: the engine's deny list knows no IPv6 ranges, so none is reached by address. */
function isIpv6Literal(url: URL): boolean {
  return url.hostname.startsWith("[");
}

function check(href: string, out: Egress | null): void {
  const url = new URL(href);
  if (!ALLOWED.has(url.protocol)) throw new TypeError(`fetch cannot reach ${url.protocol} URLs`);
  if (out === null && isIpv6Literal(url)) throw new TypeError("fetch cannot reach IPv6 addresses by number");
}

/** *path* is the egress proxy's socket; without one the engine's own permissions decide. */
export function adaptRequests(host: typeof Deno, path: string | null | undefined): void {
  const out = egress(host, realFetch, path);
  const send = out === null ? realFetch : (input: Request | string, options: RequestInit) => {
    const href = typeof input === "string" ? input : input.url;
    return /^(data|blob):/i.test(href) ? realFetch(input, options) : out.fetch(input, options);
  };
  Object.defineProperty(Request.prototype, "url", {
    configurable: true,
    enumerable: true,
    get(this: Request): string {
      return outer(readUrl.call(this));
    },
  });
  globalThis.fetch = async function fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    const { client: _, ...options } = (init ?? {}) as RequestInit & { client?: unknown };
    if (!(input instanceof RealRequest)) {
      const href = String(input);
      check(href, out);
      return await send(href, options);
    }
    const inner = readUrl.call(input);
    const href = outer(inner);
    check(href, out);
    return await send(inner === href ? input : new RealRequest(href, input), options);
  } as typeof fetch;
  const RealWebSocket = globalThis.WebSocket;
  globalThis.WebSocket = new Proxy(RealWebSocket, {
    construct(target, [url, options], newTarget) {
      if (out === null && isIpv6Literal(new URL(String(url)))) throw new TypeError("WebSocket cannot reach IPv6 addresses by number");
      const protocols = typeof options === "object" && !Array.isArray(options) ? (options as { protocols?: unknown }).protocols : options;
      if (out !== null) return Reflect.construct(target, [url, { protocols: protocols ?? [], client: out.client }], newTarget);
      return Reflect.construct(target, protocols === undefined ? [url] : [url, protocols], newTarget);
    },
  });
  delete (globalThis as Record<string, unknown>).EventSource;
}
