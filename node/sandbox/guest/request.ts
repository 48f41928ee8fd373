// Requests arrive over a unix socket, so the engine gives them http+unix: URLs. The program sees the URL that the client asked for, wherever it
// looks, and a request that it passes on to fetch() goes to that URL and never to a socket.
//
// A dialect may dress the requests that arrive: it adds the headers that its platform adds. The engine's own are immutable, so a dressed
// request has a Headers object of its own, made when the program first looks.

import { connectEgress, type Egress } from "./egress.ts";
import type { Place } from "./geo.ts";

const INNER = "http+unix:";
const ALLOWED = new Set(["http:", "https:", "data:", "blob:"]);

const own = (name: string) => Object.getOwnPropertyDescriptor(Request.prototype, name)!;
const readUrl = own("url").get!;
const readHeaders = own("headers").get!;
const realClone = Request.prototype.clone;
const realFetch = globalThis.fetch;
const RealRequest = Request;
const RealHeaders = Headers;

interface Dress {
  place: Place | null;
  headers?: Headers;
}

type Tailor = (headers: Headers, place: Place | null) => void;
type Copied = (from: Request, to: Request, init?: RequestInit) => void;

const dressed = new WeakMap<Request, Dress>();
const secure = new WeakSet<Request>();

function outer(request: Request): string {
  const url: string = readUrl.call(request);
  if (!url.startsWith(INNER)) return url;
  return (isSecure(request) ? "https:" : "http:") + url.slice(INNER.length);
}

function isSecure(request: Request): boolean {
  if (secure.has(request)) return true;
  try {
    if (readHeaders.call(request).get("x-forwarded-proto") !== "https") return false;
  } catch {
    return false; // it is closed: the engine itself looks at the URL after an upgrade
  }
  secure.add(request);
  return true;
}

/** Take over from the engine what is gone once the request is answered, for work that goes on after it. */
export function outlive(request: Request): void {
  void request.url;
  void request.headers.has("host");
}

/** Say that *request* came from a client at *place*. */
export function arrived(request: Request, place: Place | null): void {
  dressed.set(request, { place });
}

export const hasArrived = (request: Request): boolean => dressed.has(request);
export const placeOf = (request: Request): Place | null => dressed.get(request)?.place ?? null;

/** The same request at another address, or with other headers, from the same place. */
export function passedOn(url: string, request: Request, headers: Headers = request.headers): Request {
  const { method, body, signal } = request;
  const made = new RealRequest(url, { method, headers, body, signal, redirect: "manual" });
  dressed.set(made, { place: placeOf(request), headers: new RealHeaders(headers) });
  return made;
}

/** Let *tailor* add headers to the requests that arrive, and tell *copied* of each request that the program makes of another. */
export function dressRequests(tailor: Tailor, copied: Copied): void {
  const define = (name: string, value: unknown) => Object.defineProperty(RealRequest.prototype, name, { ...own(name), ...value as object });
  define("headers", {
    get(this: Request): Headers {
      const dress = dressed.get(this);
      if (dress === undefined) return readHeaders.call(this);
      if (dress.headers === undefined) {
        dress.headers = new RealHeaders(readHeaders.call(this));
        tailor(dress.headers, dress.place);
      }
      return dress.headers;
    },
  });
  define("clone", {
    value: function clone(this: Request): Request {
      const dress = dressed.get(this);
      const copy: Request = realClone.call(this);
      if (dress !== undefined) dressed.set(copy, { place: dress.place, headers: new RealHeaders(this.headers) });
      copied(this, copy);
      return copy;
    },
  });
  const Outer = new Proxy(RealRequest, {
    construct(target, [input, init], newTarget) {
      if (!(input instanceof RealRequest)) return Reflect.construct(target, init === undefined ? [input] : [input, init], newTarget);
      const inner = dressed.has(input) ? new RealRequest(outer(input), input) : input;
      const made = Reflect.construct(target, init === undefined ? [inner] : [inner, init], newTarget) as Request;
      copied(input, made, init);
      return made;
    },
  });
  RealRequest.prototype.constructor = Outer;
  globalThis.Request = Outer;
}

/** Whether the host is an IPv6 literal: the engine's deny list knows no IPv6 ranges, so none is reached by address. */
function isIpv6Literal(url: URL): boolean {
  return url.hostname.startsWith("[");
}

function check(href: string, direct: boolean, spend: () => void): void {
  const url = new URL(href);
  if (!ALLOWED.has(url.protocol)) throw new TypeError(`fetch cannot reach ${url.protocol} URLs`);
  if (direct && isIpv6Literal(url)) throw new TypeError("fetch cannot reach IPv6 addresses by number");
  if (url.protocol.startsWith("http")) spend();
}

/**
 * Show outer URLs and watch over outgoing requests: *spend* is called before each, and may throw. *path* is the egress proxy's socket; without
 * one the engine's own permissions decide.
 */
export function adaptRequests(host: typeof Deno, path: string | null, spend: () => void): void {
  let way: Egress | null = null;
  const out = () => way ??= connectEgress(host, realFetch, path); // made at the first request: a client takes milliseconds to make
  const send = path === null ? realFetch : (input: Request | string, options: RequestInit) => {
    const href = typeof input === "string" ? input : input.url;
    return /^(data|blob):/i.test(href) ? realFetch(input, options) : out()!.fetch(input, options);
  };
  Object.defineProperty(RealRequest.prototype, "url", {
    configurable: true,
    enumerable: true,
    get(this: Request): string {
      return outer(this);
    },
  });
  globalThis.fetch = async function fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    const { client: _, ...options } = (init ?? {}) as RequestInit & { client?: unknown };
    if (!(input instanceof RealRequest)) {
      const href = String(input);
      check(href, path === null, spend);
      return await send(href, options);
    }
    const href = outer(input);
    check(href, path === null, spend);
    return await send(readUrl.call(input) === href ? input : new RealRequest(href, input), options);
  } as typeof fetch;
  const RealWebSocket = globalThis.WebSocket;
  globalThis.WebSocket = new Proxy(RealWebSocket, {
    construct(target, [url, options], newTarget) {
      if (path === null && isIpv6Literal(new URL(String(url)))) throw new TypeError("WebSocket cannot reach IPv6 addresses by number");
      spend();
      const protocols = typeof options === "object" && !Array.isArray(options) ? (options as { protocols?: unknown }).protocols : options;
      if (path !== null) return Reflect.construct(target, [url, { protocols: protocols ?? [], client: out()!.client }], newTarget);
      return Reflect.construct(target, protocols === undefined ? [url] : [url, protocols], newTarget);
    },
  });
  delete (globalThis as Record<string, unknown>).EventSource;
}
