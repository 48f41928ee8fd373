// Requests arrive over a unix socket, so the engine gives them http+unix: URLs. The program sees the URL that the client asked for, wherever it
// looks, and a request that it passes on to fetch() goes to that URL and never to a socket.
//
// A dialect may dress the requests that arrive: it adds the headers that its platform adds. The engine's own are immutable, so a dressed
// request has a Headers object of its own, made when the program first looks.

import { cloned } from "./body.ts";
import type { Egress } from "./egress.ts";
import type { Place } from "./geo.ts";
import { dress, type Extras, installHeaders, plain } from "./headers.ts";

const INNER = "http+unix:";
const ALLOWED = new Set(["http:", "https:", "data:", "blob:"]);

const own = (name: string) => Object.getOwnPropertyDescriptor(Request.prototype, name)!;
const readUrl = own("url").get!;
const readHeaders = own("headers").get!;
const realFetch = globalThis.fetch;
const RealRequest = Request;
const RealProxy = Proxy;
const { defineProperty } = Object;
const { construct } = Reflect;

interface Dress {
  place: Place | null;
  headers?: Headers;
}

type Copied = (from: Request | string | URL, to: Request, init?: RequestInit) => void;

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

/** Whether the engine made *request* of what came over the socket. */
export const isInner = (request: Request): boolean => readUrl.call(request).startsWith(INNER);

/** Say that *request* came from a client at *place*. */
export function arrived(request: Request, place: Place | null): void {
  dressed.set(request, { place });
}

export const hasArrived = (request: Request): boolean => dressed.has(request);
export const placeOf = (request: Request): Place | null => dressed.get(request)?.place ?? null;

/** The same request at another address, or with other headers, for the engine and for the program alike. */
export function passedOn(url: string, request: Request, headers: Headers = request.headers): Request {
  return new RealRequest(url, parts(request, headers));
}

function parts({ method, body, signal, redirect }: Request, headers: Headers): RequestInit {
  return { method, headers: plain(headers), body, signal, redirect };
}

/** What the program passes as a second argument, which may be a request, with headers that the engine can read. */
function readable(init: RequestInit): RequestInit {
  if (init instanceof RealRequest) return parts(init, init.headers);
  const headers = plain(init.headers);
  return headers === init.headers ? init : { ...init, headers };
}

/** Let `new Request(request)` of one that *came* copy what the program sees of it: its URL and headers, and no more of its body than it may read. */
export function makeOf(came: (request: Request) => boolean, copied: Copied = () => {}): void {
  const Outer = new Proxy(RealRequest, {
    construct(target, [input, init], newTarget) {
      const rest = init === undefined ? [] : [readable(init)];
      const inner = input instanceof RealRequest && came(input) ? passedOn(outer(input), input) : input;
      const made = Reflect.construct(target, [inner, ...rest], newTarget) as Request;
      copied(input, made, init);
      return made;
    },
  });
  RealRequest.prototype.constructor = Outer;
  globalThis.Request = Outer;
}

/** Show *extras* on the requests that arrive, and tell *copied* of each request that the program makes, of another or of a URL. */
export function dressRequests(extras: Extras, copied: Copied): void {
  const define = (name: string, value: unknown) => Object.defineProperty(RealRequest.prototype, name, { ...own(name), ...value as object });
  define("headers", {
    get(this: Request): Headers {
      const it = dressed.get(this);
      return it === undefined ? readHeaders.call(this) : it.headers ??= dress(readHeaders.call(this), extras, it.place);
    },
  });
  define("clone", {
    value: function clone(this: Request): Request {
      const it = dressed.get(this);
      const copy: Request = cloned(this, () => outer(this));
      if (it !== undefined) dressed.set(copy, { place: it.place });
      copied(this, copy);
      return copy;
    },
  });
  makeOf(hasArrived, copied);
  installHeaders();
}

// What the program puts on Object.prototype must be no part of it.
const owned = (value: unknown): PropertyDescriptor => ({ __proto__: null, value, configurable: true, writable: true }) as PropertyDescriptor;

/**
 * Show what *make* makes of a class in its place: once somebody looks, because the engine, too, loads it only then. The program runs by that
 * time, so nothing here is looked up where it could have put something of its own.
 */
function replaceLazily<Name extends "WebSocket">(name: Name, make: (real: typeof globalThis[Name]) => typeof globalThis[Name]): void {
  const was = Object.getOwnPropertyDescriptor(globalThis, name)!;
  const engine = defineProperty({}, name, was) as Pick<typeof globalThis, Name>;
  let made: typeof globalThis[Name] | undefined;
  defineProperty(globalThis, name, {
    configurable: true,
    enumerable: was.enumerable,
    get() {
      if (made === undefined) {
        made = make(engine[name]);
        defineProperty(made.prototype, "constructor", owned(made));
      }
      return made;
    },
    set: (value: unknown) => void defineProperty(globalThis, name, owned(value)),
  });
}

/** Whether the host is an IPv6 literal: the engine's deny list knows no IPv6 ranges, so none is reached by address. */
function isIpv6Literal(url: URL): boolean {
  return url.hostname.startsWith("[");
}

function check(href: string, spend: () => void, out: Egress | null): void {
  const url = new URL(href);
  if (!ALLOWED.has(url.protocol)) throw new TypeError(`fetch cannot reach ${url.protocol} URLs`);
  if (out === null && isIpv6Literal(url)) throw new TypeError("fetch cannot reach IPv6 addresses by number");
  if (url.protocol.startsWith("http")) spend();
}

/** Show outer URLs and send outgoing requests by *out*, where there is one; *spend* is called before each, and may throw. */
export function adaptRequests(spend: () => void, out: Egress | null): void {
  const send = (input: Request | string, options: RequestInit) => {
    const local = /^(data|blob):/i.test(typeof input === "string" ? input : readUrl.call(input));
    return out === null || local ? realFetch(input, options) : out.fetch(input, options);
  };
  Object.defineProperty(RealRequest.prototype, "url", {
    configurable: true,
    enumerable: true,
    get(this: Request): string {
      return outer(this);
    },
  });
  Object.assign(globalThis, {
    async fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
      const given = readable(init ?? {}) as RequestInit & { client?: unknown };
      const options = given.client === undefined ? given : { ...given, client: undefined };
      if (!(input instanceof RealRequest)) {
        const href = String(input);
        check(href, spend, out);
        return await send(href, options);
      }
      const href = outer(input);
      check(href, spend, out);
      return await send(readUrl.call(input) === href ? input : passedOn(href, input), options);
    },
  });
  replaceLazily("WebSocket", (RealWebSocket) => new RealProxy(RealWebSocket, {
    __proto__: null,
    construct(target, [url, options], newTarget) {
      if (out === null && isIpv6Literal(new URL(String(url)))) throw new TypeError("WebSocket cannot reach IPv6 addresses by number");
      spend();
      const { protocols = [], headers } = typeof options === "object" && !Array.isArray(options)
        ? options as { protocols?: unknown; headers?: HeadersInit }
        : { protocols: options };
      const more = headers === undefined ? undefined : new Headers(headers);
      more?.delete("host"); // it is the URL's, as with fetch()
      return construct(target, [url, { protocols, headers: more, client: out?.client }], newTarget);
    },
  } as ProxyHandler<typeof WebSocket>));
  delete (globalThis as Record<string, unknown>).EventSource;
}
