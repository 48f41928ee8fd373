// Requests arrive over a unix socket, so the engine gives them http+unix: URLs. The program sees the http: URL that the client asked for,
// wherever it looks, and a request that it passes on to fetch() goes to that URL and never to a socket.

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

function check(href: string): void {
  const url = new URL(href);
  if (!ALLOWED.has(url.protocol)) throw new TypeError(`fetch cannot reach ${url.protocol} URLs`);
  if (isIpv6Literal(url)) throw new TypeError("fetch cannot reach IPv6 addresses by number");
}

export function adaptRequests(): void {
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
      check(href);
      return await realFetch(href, options);
    }
    const inner = readUrl.call(input);
    const href = outer(inner);
    check(href);
    return await realFetch(inner === href ? input : new RealRequest(href, input), options);
  } as typeof fetch;
  const RealWebSocket = globalThis.WebSocket;
  globalThis.WebSocket = new Proxy(RealWebSocket, {
    construct(target, [url, options], newTarget) {
      if (isIpv6Literal(new URL(String(url)))) throw new TypeError("WebSocket cannot reach IPv6 addresses by number");
      const protocols = typeof options === "object" && !Array.isArray(options) ? (options as { protocols?: unknown }).protocols : options;
      return Reflect.construct(target, protocols === undefined ? [url] : [url, protocols], newTarget);
    },
  });
  delete (globalThis as Record<string, unknown>).EventSource;
}
