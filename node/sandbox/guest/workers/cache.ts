// caches.default and caches.open(): responses that the program keeps, in this process and within bounds. What may be kept and for how long
// follows Cloudflare's Cache API: GET only, no 206, no Vary: *, Cache-Control and Expires honored, Set-Cookie never kept.

const BYTES_MAX = 16 << 20; // of all bodies
const BODY_MAX = 4 << 20;
const ENTRIES_MAX = 1000;

interface Stored {
  key: string;
  vary: [string, string | null][]; // the request headers that the response was made for
  status: number;
  statusText: string;
  headers: [string, string][];
  body: Uint8Array<ArrayBuffer>;
  storedAt: number;
  expiresAt: number;
}

type Key = RequestInfo | URL;
interface Options {
  ignoreMethod?: boolean;
}

const RealResponse = Response;
const RealHeaders = Headers;

function asRequest(key: Key): Request {
  return key instanceof Request ? key : new Request(key);
}

const COOKIES = "set-cookie"; // private=Set-Cookie lets the rest be kept, without the cookies
// Cloudflare's, of responses that say nothing of caching.
const DEFAULT_S: Record<number, number> = { 200: 7200, 301: 7200, 302: 1200, 303: 1200, 404: 180, 410: 180 };

function directives(header: string | null): Map<string, string> {
  const found = new Map<string, string>();
  for (const part of (header ?? "").toLowerCase().split(",")) {
    const [name, value = ""] = part.trim().split("=", 2);
    if (name !== "") found.set(name, value.replaceAll('"', ""));
  }
  return found;
}

/** For how many seconds a shared cache may keep the response (RFC 9111, section 4.2.1); 0 or less: not at all. */
export function lifetime(headers: Headers, status: number): number {
  const said = directives(headers.get("cache-control"));
  if (said.has("no-store") || said.has("no-cache") || (said.has("private") && said.get("private") !== COOKIES)) return 0;
  const age = Number(said.get("s-maxage") ?? said.get("max-age"));
  if (said.has("s-maxage") || said.has("max-age")) return Number.isFinite(age) ? age : 0;
  const expires = headers.get("expires");
  if (expires !== null) return (Date.parse(expires) - Date.now()) / 1000 || 0;
  return DEFAULT_S[status] ?? 0;
}

class Store {
  #entries = new Map<string, Stored[]>();
  #bytes = 0;
  #count = 0;

  find(key: string, request: Request): Stored | undefined {
    const variants = this.#entries.get(key);
    const found = variants?.find(({ vary }) => vary.every(([name, value]) => request.headers.get(name) === value));
    if (found === undefined) return undefined;
    if (found.expiresAt <= Date.now()) {
      this.#drop(found);
      return undefined;
    }
    this.#entries.delete(key);
    this.#entries.set(key, variants!); // the least recently used key stands first
    return found;
  }

  add(entry: Stored): void {
    const same = (other: Stored) =>
      other.vary.length === entry.vary.length && other.vary.every(([n, v], i) => entry.vary[i][0] === n && entry.vary[i][1] === v);
    for (const other of this.#entries.get(entry.key)?.filter(same) ?? []) this.#drop(other);
    const variants = this.#entries.get(entry.key) ?? [];
    variants.push(entry);
    this.#entries.set(entry.key, variants);
    this.#bytes += entry.body.length;
    this.#count += 1;
    while (this.#bytes > BYTES_MAX || this.#count > ENTRIES_MAX) this.#drop(this.#entries.values().next().value![0]);
  }

  remove(key: string): boolean {
    const variants = this.#entries.get(key) ?? [];
    for (const entry of [...variants]) this.#drop(entry);
    return variants.length > 0;
  }

  #drop(entry: Stored): void {
    const left = this.#entries.get(entry.key)!.filter((other) => other !== entry);
    if (left.length > 0) this.#entries.set(entry.key, left);
    else this.#entries.delete(entry.key);
    this.#bytes -= entry.body.length;
    this.#count -= 1;
  }
}

let store: Store | undefined;

export class Cache {
  #name: string;

  constructor(name: string) {
    this.#name = name;
    store ??= new Store();
  }

  #key(request: Request): string {
    const url = new URL(request.url);
    url.hash = "";
    return `${this.#name}\n${url.href}`;
  }

  async put(key: Key, response: Response): Promise<void> {
    const request = asRequest(key);
    if (request.method !== "GET") throw new TypeError("Cannot cache response to non-GET request.");
    if (response.status === 206) throw new TypeError("Cannot cache response to a range request (206 Partial Content).");
    const vary = (response.headers.get("vary") ?? "").split(",").map((name) => name.trim().toLowerCase()).filter((name) => name !== "");
    if (vary.includes("*")) throw new TypeError("Cannot cache response with 'Vary: *' header.");
    if (response.bodyUsed) throw new TypeError("Body has already been used. It can only be used once.");
    const body = new Uint8Array(await response.arrayBuffer());
    const seconds = lifetime(response.headers, response.status);
    const cookies = response.headers.has("set-cookie") && directives(response.headers.get("cache-control")).get("private") !== COOKIES;
    if (cookies || seconds <= 0 || response.status === 304 || body.length > BODY_MAX) return;
    const storedAt = Date.now();
    store!.add({
      key: this.#key(request),
      vary: vary.sort().map((name) => [name, request.headers.get(name)]),
      status: response.status,
      statusText: response.statusText,
      headers: [...response.headers].filter(([name]) => name !== "set-cookie"),
      body,
      storedAt,
      expiresAt: storedAt + seconds * 1000,
    });
  }

  // deno-lint-ignore require-await
  async match(key: Key, options: Options = {}): Promise<Response | undefined> {
    const request = asRequest(key);
    if (request.method !== "GET" && !options.ignoreMethod) return undefined;
    const entry = store!.find(this.#key(request), request);
    if (entry === undefined) return undefined;
    const headers = new RealHeaders(entry.headers);
    headers.set("cf-cache-status", "HIT");
    headers.set("age", String(Math.floor((Date.now() - entry.storedAt) / 1000)));
    return notModified(request.headers, headers) ?? ranged(request.headers, headers, entry) ??
      new RealResponse(nullBody(entry.status) ? null : entry.body, { status: entry.status, statusText: entry.statusText, headers });
  }

  // deno-lint-ignore require-await
  async delete(key: Key, options: Options = {}): Promise<boolean> {
    const request = asRequest(key);
    if (request.method !== "GET" && !options.ignoreMethod) return false;
    return store!.remove(this.#key(request));
  }
}

const nullBody = (status: number) => [101, 204, 205, 304].includes(status);

/** RFC 9110, section 13.2.2: If-None-Match goes before If-Modified-Since. */
function notModified(asked: Headers, headers: Headers): Response | undefined {
  const tags = asked.get("if-none-match");
  const weak = (tag: string | null) => (tag ?? "").trim().replace(/^W\//, "");
  if (tags !== null) {
    const own = headers.get("etag");
    const same = own !== null && (tags.trim() === "*" || tags.split(",").some((tag) => weak(tag) === weak(own)));
    return same ? new RealResponse(null, { status: 304, headers }) : undefined;
  }
  const since = Date.parse(asked.get("if-modified-since") ?? "");
  const modified = Date.parse(headers.get("last-modified") ?? "");
  return modified <= since ? new RealResponse(null, { status: 304, headers }) : undefined;
}

/** One byte range of a 200 (RFC 9110, section 14.1.2); several are answered with the whole. */
function ranged(asked: Headers, headers: Headers, { status, body }: Stored): Response | undefined {
  const range = /^bytes=(\d*)-(\d*)$/.exec(asked.get("range") ?? "");
  if (range === null || status !== 200 || (range[1] === "" && range[2] === "")) return undefined;
  const size = body.length;
  const first = range[1] === "" ? Math.max(0, size - Number(range[2])) : Number(range[1]);
  const last = range[1] === "" || range[2] === "" ? size - 1 : Math.min(size - 1, Number(range[2]));
  if (first > last) return new RealResponse(null, { status: 416, headers: { "content-range": `bytes */${size}` } });
  headers.set("content-range", `bytes ${first}-${last}/${size}`);
  headers.delete("content-length");
  return new RealResponse(body.slice(first, last + 1), { status: 206, headers });
}

export class CacheStorage {
  readonly default = new Cache("");

  // deno-lint-ignore require-await
  async open(name: string): Promise<Cache> {
    return new Cache(`named ${name}`);
  }
}

export function makeCaches(): Record<string, unknown> {
  return { caches: new CacheStorage(), Cache, CacheStorage };
}
