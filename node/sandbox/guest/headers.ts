// The headers of a request that arrived: the engine's, and over them those that the dialect's platform adds. Each is worked out when it is asked for;
// only who wants to see them all makes a copy. What a client sent under one of these names is never seen.

import type { Place } from "./geo.ts";

/** Work one header out; null: there is none. *get* reads what the ingress passed on. */
export type Extra = (get: (name: string) => string | null, place: Place | null) => string | null;
export type Extras = ReadonlyMap<string, Extra>;

/** A part of a place as a header's value. */
export function known(value: string | number | boolean | null | undefined): string | null {
  return value === null || value === undefined || value === "" ? null : encodeURI(String(value));
}

interface Source {
  extras: Extras;
  place: Place | null;
  all?: Headers;
}

const RealHeaders = Headers;
const realGet = Headers.prototype.get;
const sources = new WeakMap<Headers, Source>();

/** The headers as an object of their own, which may be changed and handed to the engine. */
export function plain<T>(headers: T): T | Headers {
  const source = sources.get(headers as Headers);
  return source === undefined ? headers : new RealHeaders(all(headers as Headers, source));
}

function all(headers: Headers, source: Source): Headers {
  if (source.all === undefined) {
    Object.setPrototypeOf(headers, RealHeaders.prototype); // the engine's own view, for as long as it is copied
    const copy = source.all = new RealHeaders(headers);
    Object.setPrototypeOf(headers, ArrivedHeaders.prototype);
    const get = (name: string) => realGet.call(headers, name);
    for (const [name, extra] of source.extras) {
      const value = extra(get, source.place);
      if (value === null) copy.delete(name);
      else copy.set(name, value);
    }
  }
  return source.all;
}

/** Changing them throws, as it does on the platforms: the engine's are immutable. */
class ArrivedHeaders extends RealHeaders {
  override get(name: string): string | null {
    const source = sources.get(this)!;
    const extra = source.extras.get(String(name).toLowerCase());
    return extra === undefined ? realGet.call(this, name) : extra((other) => realGet.call(this, other), source.place);
  }

  override has(name: string): boolean {
    return this.get(name) !== null;
  }

  override forEach(callback: (value: string, name: string, parent: this) => void, self?: unknown): void {
    for (const [name, value] of this) callback.call(self, value, name, this);
  }

  override entries(): IterableIterator<[string, string]> {
    return all(this, sources.get(this)!).entries();
  }

  override keys() {
    return all(this, sources.get(this)!).keys();
  }

  override values() {
    return all(this, sources.get(this)!).values();
  }

  override [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.entries();
  }
}
Object.defineProperty(ArrivedHeaders.prototype, "constructor", { value: RealHeaders, configurable: true, writable: true });

/** Dress the engine's *headers* of a request. */
export function dress(headers: Headers, extras: Extras, place: Place | null): Headers {
  sources.set(headers, { extras, place });
  return Object.setPrototypeOf(headers, ArrivedHeaders.prototype);
}

/** Let `new Headers(request.headers)` copy all of them. */
export function installHeaders(): void {
  globalThis.Headers = new Proxy(RealHeaders, {
    construct: (target, [init], newTarget) => Reflect.construct(target, init === undefined ? [] : [plain(init)], newTarget),
  });
}
