// Made by build.sh of the sources of the guest; not to be edited.
var __defProp = Object.defineProperty;
var __getOwnPropNames = Object.getOwnPropertyNames;
var __esm = (fn, res) => function __init() {
  return fn && (res = (0, fn[__getOwnPropNames(fn)[0]])(fn = 0)), res;
};
var __export = (target, all2) => {
  for (var name in all2)
    __defProp(target, name, { get: all2[name], enumerable: true });
};

// report.ts
function emit(event) {
  const bytes3 = encoder.encode(stringify(event) + "\n");
  for (let sent = 0; sent < bytes3.length; ) sent += host.stdout.writeSync(bytes3.subarray(sent));
}
function log(level, message, more) {
  const now2 = performance.now();
  if (now2 - budgetAt >= 1e3) {
    budgetAt = now2;
    budget = LINES_PER_SECOND;
  }
  if (budget-- <= 0) return;
  emit({
    event: "log",
    level,
    message: message.slice(0, MESSAGE_MAX),
    ...more
  });
}
function explain(error, url2 = "") {
  const text2 = error instanceof Error ? error.stack || `${error.name}: ${error.message}` : `${format([
    error
  ])}`;
  const denied = /requested module '((?:node|cloudflare):[\w/]+)' does not provide/.exec(text2);
  if (denied !== null) return `${denied[1]} is not available to functions`;
  const named = (url2 === "" ? text2 : text2.replaceAll(url2, "program.js")).replaceAll(PROGRAM, "program.js");
  return named.split("\n").filter((line) => !line.includes("/guest/")).slice(0, STACK_LINES).join("\n").slice(0, MESSAGE_MAX);
}
function format(parts2) {
  return parts2.map((part) => typeof part === "string" ? part : host.inspect(part, {
    depth: 4,
    colors: false
  })).join(" ");
}
function installConsole(realHost) {
  host = realHost;
  const at = (level) => (...parts2) => log(level, format(parts2));
  const nothing = () => {
  };
  globalThis.console = {
    log: at("info"),
    info: at("info"),
    debug: at("debug"),
    warn: at("warn"),
    error: at("error"),
    trace: at("debug"),
    dir: (item) => log("info", format([
      item
    ])),
    dirxml: at("info"),
    table: (data) => log("info", format([
      data
    ])),
    assert: (condition, ...parts2) => {
      if (!condition) log("error", format([
        "Assertion failed:",
        ...parts2
      ]));
    },
    group: at("info"),
    groupCollapsed: at("info"),
    groupEnd: nothing,
    count: nothing,
    countReset: nothing,
    time: nothing,
    timeLog: nothing,
    timeEnd: nothing,
    timeStamp: nothing,
    clear: nothing,
    profile: nothing,
    profileEnd: nothing
  };
}
var MESSAGE_MAX, STACK_LINES, LINES_PER_SECOND, PROGRAM, host, budget, budgetAt, encoder, stringify, report;
var init_report = __esm({
  "report.ts"() {
    MESSAGE_MAX = 4096;
    STACK_LINES = 6;
    LINES_PER_SECOND = 100;
    PROGRAM = /blob:null\/[0-9a-f-]{36}|data:text\/javascript;base64,[\w+/=.]+/g;
    budget = LINES_PER_SECOND;
    budgetAt = 0;
    encoder = new TextEncoder();
    stringify = JSON.stringify;
    report = {
      listening: () => emit({
        event: "listening"
      }),
      ready: () => emit({
        event: "ready"
      }),
      failed: (error, url2) => emit({
        event: "failed",
        error: explain(error, url2)
      }),
      error: (what, error, reason) => log("error", `${what}: ${explain(error)}`, {
        reason
      }),
      limit: (reason, message) => log("limit", `${reason}: ${message}`, {
        reason
      })
    };
  }
});

// body.ts
function cloned(request, url2) {
  const from = standIn(request);
  if (from === request) return realClone.call(request);
  const { method, signal, redirect: redirect2 } = request;
  return new RealRequest(url2(), {
    method,
    signal,
    redirect: redirect2,
    headers: readHeaders.call(request),
    body: readBody.call(realClone.call(from))
  });
}
function boundBodies(most, arrived2) {
  if (most === Infinity) return;
  function counted(request, body) {
    let left = most;
    return body.pipeThrough(new RealTransform({
      transform(chunk, controller) {
        left -= chunk.byteLength;
        if (left >= 0) return controller.enqueue(chunk);
        exceeded.add(request);
        report.limit("exceeded_body", `more than ${most} bytes of a request's body`);
        throw new RealError("The request's body is too large.");
      }
    }));
  }
  function make2(request) {
    if (!arrived2(request) || readUsed.call(request) || readHeaders.call(request).has("content-length")) return request;
    const body = readBody.call(request);
    if (body === null) return request;
    const type = readHeaders.call(request).get("content-type");
    const headers2 = type === null ? {} : {
      "content-type": type
    };
    return new RealRequest("http://body/", {
      method: "POST",
      headers: headers2,
      body: counted(request, body)
    });
  }
  standIn = (request) => {
    let found = standIns.get(request);
    if (found === void 0) standIns.set(request, found = make2(request));
    return found;
  };
  const define = (name, value) => Object.defineProperty(RealRequest.prototype, name, {
    ...own(name),
    ...value
  });
  for (const name of READERS) {
    const real = own(name).value;
    define(name, {
      value: {
        [name]() {
          return real.call(standIn(this));
        }
      }[name]
    });
  }
  define("body", {
    get() {
      return readBody.call(standIn(this));
    }
  });
  define("bodyUsed", {
    get() {
      return readUsed.call(standIns.get(this) ?? this);
    }
  });
  define("clone", {
    value: function clone() {
      return cloned(this, () => this.url);
    }
  });
}
var RealRequest, RealTransform, RealError, own, readBody, readUsed, readHeaders, realClone, READERS, exceeded, standIns, standIn, exceededBody;
var init_body = __esm({
  "body.ts"() {
    init_report();
    RealRequest = Request;
    RealTransform = TransformStream;
    RealError = TypeError;
    own = (name) => Object.getOwnPropertyDescriptor(RealRequest.prototype, name);
    readBody = own("body").get;
    readUsed = own("bodyUsed").get;
    readHeaders = own("headers").get;
    realClone = RealRequest.prototype.clone;
    READERS = [
      "arrayBuffer",
      "blob",
      "bytes",
      "formData",
      "json",
      "text"
    ];
    exceeded = /* @__PURE__ */ new WeakSet();
    standIns = /* @__PURE__ */ new WeakMap();
    standIn = (request) => request;
    exceededBody = (request) => exceeded.has(request);
  }
});

// headers.ts
function known(value) {
  return value === null || value === void 0 || value === "" ? null : encodeURI(String(value));
}
function plain(headers2) {
  const source2 = sources.get(headers2);
  return source2 === void 0 ? headers2 : new RealHeaders(all(headers2, source2));
}
function all(headers2, source2) {
  if (source2.all === void 0) {
    Object.setPrototypeOf(headers2, RealHeaders.prototype);
    const copy = source2.all = new RealHeaders(headers2);
    Object.setPrototypeOf(headers2, ArrivedHeaders.prototype);
    const get = (name) => realGet.call(headers2, name);
    for (const [name, extra] of source2.extras) {
      const value = extra(get, source2.place);
      if (value === null) copy.delete(name);
      else copy.set(name, value);
    }
  }
  return source2.all;
}
function dress(headers2, extras3, place) {
  sources.set(headers2, {
    extras: extras3,
    place
  });
  return Object.setPrototypeOf(headers2, ArrivedHeaders.prototype);
}
function installHeaders() {
  globalThis.Headers = new Proxy(RealHeaders, {
    construct: (target, [init], newTarget) => Reflect.construct(target, init === void 0 ? [] : [
      plain(init)
    ], newTarget)
  });
}
var RealHeaders, realGet, sources, ArrivedHeaders;
var init_headers = __esm({
  "headers.ts"() {
    RealHeaders = Headers;
    realGet = Headers.prototype.get;
    sources = /* @__PURE__ */ new WeakMap();
    ArrivedHeaders = class extends RealHeaders {
      get(name) {
        const source2 = sources.get(this);
        const extra = source2.extras.get(String(name).toLowerCase());
        return extra === void 0 ? realGet.call(this, name) : extra((other) => realGet.call(this, other), source2.place);
      }
      has(name) {
        return this.get(name) !== null;
      }
      forEach(callback, self) {
        for (const [name, value] of this) callback.call(self, value, name, this);
      }
      entries() {
        return all(this, sources.get(this)).entries();
      }
      keys() {
        return all(this, sources.get(this)).keys();
      }
      values() {
        return all(this, sources.get(this)).values();
      }
      [Symbol.iterator]() {
        return this.entries();
      }
    };
    Object.defineProperty(ArrivedHeaders.prototype, "constructor", {
      value: RealHeaders,
      configurable: true,
      writable: true
    });
  }
});

// request.ts
function outer(request) {
  const url2 = readUrl.call(request);
  if (!url2.startsWith(INNER)) return url2;
  return (isSecure(request) ? "https:" : "http:") + url2.slice(INNER.length);
}
function isSecure(request) {
  if (secure.has(request)) return true;
  try {
    if (readHeaders2.call(request).get("x-forwarded-proto") !== "https") return false;
  } catch {
    return false;
  }
  secure.add(request);
  return true;
}
function outlive(request) {
  void request.url;
  void request.headers.has("host");
}
function arrived(request, place) {
  dressed.set(request, {
    place
  });
}
function passedOn(url2, request, headers2 = request.headers) {
  return new RealRequest2(url2, parts(request, headers2));
}
function parts({ method, body, signal, redirect: redirect2 }, headers2) {
  return {
    method,
    headers: plain(headers2),
    body,
    signal,
    redirect: redirect2
  };
}
function readable(init) {
  if (init instanceof RealRequest2) return parts(init, init.headers);
  const headers2 = plain(init.headers);
  return headers2 === init.headers ? init : {
    ...init,
    headers: headers2
  };
}
function makeOf(came, copied2 = () => {
}) {
  const Outer = new Proxy(RealRequest2, {
    construct(target, [input, init], newTarget) {
      const rest = init === void 0 ? [] : [
        readable(init)
      ];
      const inner = input instanceof RealRequest2 && came(input) ? passedOn(outer(input), input) : input;
      const made = Reflect.construct(target, [
        inner,
        ...rest
      ], newTarget);
      copied2(input, made, init);
      return made;
    }
  });
  RealRequest2.prototype.constructor = Outer;
  globalThis.Request = Outer;
}
function dressRequests(extras3, copied2) {
  const define = (name, value) => Object.defineProperty(RealRequest2.prototype, name, {
    ...own2(name),
    ...value
  });
  define("headers", {
    get() {
      const it = dressed.get(this);
      return it === void 0 ? readHeaders2.call(this) : it.headers ??= dress(readHeaders2.call(this), extras3, it.place);
    }
  });
  define("clone", {
    value: function clone() {
      const it = dressed.get(this);
      const copy = cloned(this, () => outer(this));
      if (it !== void 0) dressed.set(copy, {
        place: it.place
      });
      copied2(this, copy);
      return copy;
    }
  });
  makeOf(hasArrived, copied2);
  installHeaders();
}
function replaceLazily(name, make2) {
  const was = Object.getOwnPropertyDescriptor(globalThis, name);
  const engine = defineProperty({}, name, was);
  let made;
  defineProperty(globalThis, name, {
    configurable: true,
    enumerable: was.enumerable,
    get() {
      if (made === void 0) {
        made = make2(engine[name]);
        defineProperty(made.prototype, "constructor", owned(made));
      }
      return made;
    },
    set: (value) => void defineProperty(globalThis, name, owned(value))
  });
}
function isIpv6Literal(url2) {
  return url2.hostname.startsWith("[");
}
function check(href, spend, out) {
  const url2 = new URL(href);
  if (!ALLOWED.has(url2.protocol)) throw new TypeError(`fetch cannot reach ${url2.protocol} URLs`);
  if (out === null && isIpv6Literal(url2)) throw new TypeError("fetch cannot reach IPv6 addresses by number");
  if (url2.protocol.startsWith("http")) spend();
}
function adaptRequests(spend, out) {
  const send = (input, options) => {
    const local = /^(data|blob):/i.test(typeof input === "string" ? input : readUrl.call(input));
    return out === null || local ? realFetch(input, options) : out.fetch(input, options);
  };
  Object.defineProperty(RealRequest2.prototype, "url", {
    configurable: true,
    enumerable: true,
    get() {
      return outer(this);
    }
  });
  Object.assign(globalThis, {
    async fetch(input, init) {
      const given = readable(init ?? {});
      const options = given.client === void 0 ? given : {
        ...given,
        client: void 0
      };
      if (!(input instanceof RealRequest2)) {
        const href2 = String(input);
        check(href2, spend, out);
        return await send(href2, options);
      }
      const href = outer(input);
      check(href, spend, out);
      return await send(readUrl.call(input) === href ? input : passedOn(href, input), options);
    }
  });
  replaceLazily("WebSocket", (RealWebSocket) => new RealProxy(RealWebSocket, {
    __proto__: null,
    construct(target, [url2, options], newTarget) {
      if (out === null && isIpv6Literal(new URL(String(url2)))) throw new TypeError("WebSocket cannot reach IPv6 addresses by number");
      spend();
      const { protocols = [], headers: headers2 } = typeof options === "object" && !Array.isArray(options) ? options : {
        protocols: options
      };
      const more = headers2 === void 0 ? void 0 : new Headers(headers2);
      more?.delete("host");
      return construct(target, [
        url2,
        {
          protocols,
          headers: more,
          client: out?.client
        }
      ], newTarget);
    }
  }));
  delete globalThis.EventSource;
}
var INNER, ALLOWED, own2, readUrl, readHeaders2, realFetch, RealRequest2, RealProxy, defineProperty, construct, dressed, secure, isInner, hasArrived, placeOf, owned;
var init_request = __esm({
  "request.ts"() {
    init_body();
    init_headers();
    INNER = "http+unix:";
    ALLOWED = /* @__PURE__ */ new Set([
      "http:",
      "https:",
      "data:",
      "blob:"
    ]);
    own2 = (name) => Object.getOwnPropertyDescriptor(Request.prototype, name);
    readUrl = own2("url").get;
    readHeaders2 = own2("headers").get;
    realFetch = globalThis.fetch;
    RealRequest2 = Request;
    RealProxy = Proxy;
    ({ defineProperty } = Object);
    ({ construct } = Reflect);
    dressed = /* @__PURE__ */ new WeakMap();
    secure = /* @__PURE__ */ new WeakSet();
    isInner = (request) => readUrl.call(request).startsWith(INNER);
    hasArrived = (request) => dressed.has(request);
    placeOf = (request) => dressed.get(request)?.place ?? null;
    owned = (value) => ({
      __proto__: null,
      value,
      configurable: true,
      writable: true
    });
  }
});

// settings.ts
function parse(line) {
  const raw = JSON.parse(line);
  const manifest = raw.manifest ?? {};
  const assets = manifest.assets?.digest ? {
    digest: manifest.assets.digest,
    binding: manifest.assets.binding ?? ""
  } : null;
  return {
    dialect: raw.dialect,
    function: raw.function ?? "",
    version: Number(raw.version ?? 0),
    digest: raw.digest ?? "",
    node: raw.node ?? "",
    region: raw.region ?? "",
    get createdAt() {
      return date(raw.created_at);
    },
    env: {
      ...raw.env
    },
    manifest: {
      rate_limiters: manifest.rate_limiters ?? [],
      assets,
      matchers: manifest.matchers ?? [],
      edge_routes: manifest.edge_routes ?? [],
      version_binding: manifest.version_binding ?? ""
    },
    control: raw.control ?? "",
    sockets: {
      egress: raw.sockets?.egress || null,
      geo: raw.sockets?.geo || null,
      assets: raw.sockets?.assets || null
    },
    subrequests: raw.limits?.subrequests || Infinity,
    requestBody: raw.limits?.request_body_bytes || Infinity,
    sourceBytes: raw.source_bytes ?? Infinity
  };
}
function date(value) {
  const read3 = typeof value === "number" ? new Date(value * 1e3) : new Date(String(value ?? 0));
  return Number.isNaN(read3.getTime()) ? /* @__PURE__ */ new Date(0) : read3;
}
var init_settings = __esm({
  "settings.ts"() {
  }
});

// control.ts
function controlled(program, secret, run2) {
  if (secret === "") return program;
  return (request, info) => {
    const claimed = request.method === "POST" ? request.headers.get("x-nearhop-control") : null;
    return claimed === null ? program(request, info) : answer(request, claimed === secret, run2);
  };
}
async function answer(request, known2, run2) {
  if (!known2) return new RealResponse2("not the control secret of this sandbox\n", {
    status: 403
  });
  const asked = request.headers.get("x-nearhop-scheduled");
  if (asked === null) return new RealResponse2("no such control call\n", {
    status: 400
  });
  if (run2 === void 0) return new RealResponse2("the program exports no scheduled handler", {
    status: 500
  });
  try {
    const { cron, scheduled_at } = JSON.parse(asked);
    const time = typeof scheduled_at === "number" ? scheduled_at * 1e3 : Date.parse(scheduled_at);
    await run2({
      cron: String(cron),
      scheduledTime: Math.round(time)
    });
    return new RealResponse2(null, {
      status: 200
    });
  } catch (error) {
    return new RealResponse2(explain(error), {
      status: 500
    });
  }
}
var RealResponse2;
var init_control = __esm({
  "control.ts"() {
    init_report();
    RealResponse2 = Response;
  }
});

// workers/cache.ts
var cache_exports = {};
__export(cache_exports, {
  Cache: () => Cache,
  CacheStorage: () => CacheStorage,
  lifetime: () => lifetime,
  makeCaches: () => makeCaches
});
function asRequest(key) {
  return key instanceof Request ? key : new Request(key);
}
function directives(header) {
  const found = /* @__PURE__ */ new Map();
  for (const part of (header ?? "").toLowerCase().split(",")) {
    const [name, value = ""] = part.trim().split("=", 2);
    if (name !== "") found.set(name, value.replaceAll('"', ""));
  }
  return found;
}
function lifetime(headers2, status) {
  const said = directives(headers2.get("cache-control"));
  if (said.has("no-store") || said.has("no-cache") || said.has("private") && said.get("private") !== COOKIES) return 0;
  const age = Number(said.get("s-maxage") ?? said.get("max-age"));
  if (said.has("s-maxage") || said.has("max-age")) return Number.isFinite(age) ? age : 0;
  const expires = headers2.get("expires");
  if (expires !== null) return (Date.parse(expires) - Date.now()) / 1e3 || 0;
  return DEFAULT_S[status] ?? 0;
}
function notModified(asked, headers2) {
  const tags = asked.get("if-none-match");
  const weak = (tag) => (tag ?? "").trim().replace(/^W\//, "");
  if (tags !== null) {
    const own3 = headers2.get("etag");
    const same2 = own3 !== null && (tags.trim() === "*" || tags.split(",").some((tag) => weak(tag) === weak(own3)));
    return same2 ? new RealResponse3(null, {
      status: 304,
      headers: headers2
    }) : void 0;
  }
  const since = Date.parse(asked.get("if-modified-since") ?? "");
  const modified = Date.parse(headers2.get("last-modified") ?? "");
  return modified <= since ? new RealResponse3(null, {
    status: 304,
    headers: headers2
  }) : void 0;
}
function ranged(asked, headers2, { status, body }) {
  const range = /^bytes=(\d*)-(\d*)$/.exec(asked.get("range") ?? "");
  if (range === null || status !== 200 || range[1] === "" && range[2] === "") return void 0;
  const size = body.length;
  const first = range[1] === "" ? Math.max(0, size - Number(range[2])) : Number(range[1]);
  const last = range[1] === "" || range[2] === "" ? size - 1 : Math.min(size - 1, Number(range[2]));
  if (first > last) return new RealResponse3(null, {
    status: 416,
    headers: {
      "content-range": `bytes */${size}`
    }
  });
  headers2.set("content-range", `bytes ${first}-${last}/${size}`);
  headers2.delete("content-length");
  return new RealResponse3(body.slice(first, last + 1), {
    status: 206,
    headers: headers2
  });
}
function makeCaches() {
  return {
    caches: new CacheStorage(),
    Cache,
    CacheStorage
  };
}
var BYTES_MAX, BODY_MAX, ENTRIES_MAX, RealResponse3, RealHeaders2, COOKIES, DEFAULT_S, Store, store, Cache, nullBody, CacheStorage;
var init_cache = __esm({
  "workers/cache.ts"() {
    BYTES_MAX = 16 << 20;
    BODY_MAX = 4 << 20;
    ENTRIES_MAX = 1e3;
    RealResponse3 = Response;
    RealHeaders2 = Headers;
    COOKIES = "set-cookie";
    DEFAULT_S = {
      200: 7200,
      301: 7200,
      302: 1200,
      303: 1200,
      404: 180,
      410: 180
    };
    Store = class {
      #entries = /* @__PURE__ */ new Map();
      #bytes = 0;
      #count = 0;
      find(key, request) {
        const variants = this.#entries.get(key);
        const found = variants?.find(({ vary }) => vary.every(([name, value]) => request.headers.get(name) === value));
        if (found === void 0) return void 0;
        if (found.expiresAt <= Date.now()) {
          this.#drop(found);
          return void 0;
        }
        this.#entries.delete(key);
        this.#entries.set(key, variants);
        return found;
      }
      add(entry) {
        const same2 = (other) => other.vary.length === entry.vary.length && other.vary.every(([n, v], i) => entry.vary[i][0] === n && entry.vary[i][1] === v);
        for (const other of this.#entries.get(entry.key)?.filter(same2) ?? []) this.#drop(other);
        const variants = this.#entries.get(entry.key) ?? [];
        variants.push(entry);
        this.#entries.set(entry.key, variants);
        this.#bytes += entry.body.length;
        this.#count += 1;
        while (this.#bytes > BYTES_MAX || this.#count > ENTRIES_MAX) this.#drop(this.#entries.values().next().value[0]);
      }
      remove(key) {
        const variants = this.#entries.get(key) ?? [];
        for (const entry of [
          ...variants
        ]) this.#drop(entry);
        return variants.length > 0;
      }
      #drop(entry) {
        const left = this.#entries.get(entry.key).filter((other) => other !== entry);
        if (left.length > 0) this.#entries.set(entry.key, left);
        else this.#entries.delete(entry.key);
        this.#bytes -= entry.body.length;
        this.#count -= 1;
      }
    };
    Cache = class {
      #name;
      constructor(name) {
        this.#name = name;
        store ??= new Store();
      }
      #key(request) {
        const url2 = new URL(request.url);
        url2.hash = "";
        return `${this.#name}
${url2.href}`;
      }
      async put(key, response) {
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
        store.add({
          key: this.#key(request),
          vary: vary.sort().map((name) => [
            name,
            request.headers.get(name)
          ]),
          status: response.status,
          statusText: response.statusText,
          headers: [
            ...response.headers
          ].filter(([name]) => name !== "set-cookie"),
          body,
          storedAt,
          expiresAt: storedAt + seconds * 1e3
        });
      }
      // deno-lint-ignore require-await
      async match(key, options = {}) {
        const request = asRequest(key);
        if (request.method !== "GET" && !options.ignoreMethod) return void 0;
        const entry = store.find(this.#key(request), request);
        if (entry === void 0) return void 0;
        const headers2 = new RealHeaders2(entry.headers);
        headers2.set("cf-cache-status", "HIT");
        headers2.set("age", String(Math.floor((Date.now() - entry.storedAt) / 1e3)));
        return notModified(request.headers, headers2) ?? ranged(request.headers, headers2, entry) ?? new RealResponse3(nullBody(entry.status) ? null : entry.body, {
          status: entry.status,
          statusText: entry.statusText,
          headers: headers2
        });
      }
      // deno-lint-ignore require-await
      async delete(key, options = {}) {
        const request = asRequest(key);
        if (request.method !== "GET" && !options.ignoreMethod) return false;
        return store.remove(this.#key(request));
      }
    };
    nullBody = (status) => [
      101,
      204,
      205,
      304
    ].includes(status);
    CacheStorage = class {
      default = new Cache("");
      // deno-lint-ignore require-await
      async open(name) {
        return new Cache(`named ${name}`);
      }
    };
  }
});

// deno.ts
var deno_exports = {};
__export(deno_exports, {
  prepare: () => prepare
});
async function prepare({ host: host3, settings: settings2, source: source2 }) {
  const caches = /\bcaches\b/.test(source2) ? await Promise.resolve().then(() => (init_cache(), cache_exports)) : void 0;
  return async (load) => {
    let served;
    const crons = [];
    const finished = Promise.withResolvers();
    function serve(first, second) {
      const options = typeof first === "function" ? {} : first ?? {};
      const handler3 = typeof first === "function" ? first : second ?? options.handler;
      if (typeof handler3 !== "function") throw new TypeError("Deno.serve needs a handler");
      if (served !== void 0) throw new TypeError("Deno.serve was called twice: a function has one handler");
      served = options.onError === void 0 ? handler3 : guarded(handler3, options.onError);
      options.onListen?.(ADDRESS);
      options.signal?.addEventListener("abort", () => finished.resolve(), {
        once: true
      });
      const shutdown = () => {
        finished.resolve();
        return finished.promise;
      };
      return {
        addr: ADDRESS,
        finished: finished.promise,
        shutdown,
        ref() {
        },
        unref() {
        },
        [Symbol.asyncDispose]: shutdown
      };
    }
    function cron(name, schedule, second, third) {
      const handler3 = [
        second,
        third
      ].find((item) => typeof item === "function");
      if (typeof name !== "string" || typeof schedule !== "string") {
        throw new TypeError("Deno.cron(name, schedule, handler): the schedule is a cron expression here");
      }
      if (handler3 === void 0) throw new TypeError("Deno.cron needs a handler");
      crons.push({
        schedule,
        handler: handler3
      });
      return new Promise(() => {
      });
    }
    const value = Object.freeze({
      ...visible(host3, settings2),
      serve,
      cron
    });
    Object.defineProperty(globalThis, "Deno", {
      value,
      configurable: false,
      writable: false
    });
    makeOf(isInner);
    if (caches !== void 0) Object.assign(globalThis, caches.makeCaches());
    const entry = (await load()).default;
    const handler2 = served ?? entry?.fetch?.bind(entry);
    if (handler2 === void 0) {
      throw new TypeError("the program serves nothing: it calls `Deno.serve(handler)` or has `export default { fetch(request) { ... } }`");
    }
    if (served === void 0) entry?.onListen?.(ADDRESS);
    const program = (request, info) => handler2(request, informed(request, info));
    return controlled(program, settings2.control, crons.length === 0 ? void 0 : (event) => run(crons, event));
  };
}
async function run(crons, event) {
  const due = crons.filter(({ schedule }) => schedule.trim().split(/\s+/).join(" ") === event.cron);
  if (due.length === 0) throw new Error(`no Deno.cron of the program has the schedule ${event.cron}`);
  for (const { handler: handler2 } of due) await handler2();
}
function guarded(handler2, onError) {
  return async (request, info) => {
    try {
      return await handler2(request, info);
    } catch (error) {
      return await onError(error);
    }
  };
}
function informed(request, info) {
  return {
    get remoteAddr() {
      return {
        transport: "tcp",
        hostname: request.headers.get("x-real-ip") ?? "0.0.0.0",
        port: 0
      };
    },
    get completed() {
      return info.completed;
    }
  };
}
function variables({ env, region, digest, function: name, version }) {
  return {
    DENO_DEPLOY: "true",
    DENO_DEPLOYMENT_ID: `${name}-${version}`,
    DENO_DEPLOY_APP_SLUG: name,
    DENO_DEPLOY_BUILD_ID: digest.slice(0, 12),
    DENO_REGION: region,
    DENO_TIMELINE: "production",
    ...env
  };
}
function visible(host3, settings2) {
  const { NotCapable, NotSupported } = host3.errors;
  const refuse = (access, subject, flag = access) => {
    throw new NotCapable(`Requires ${access} access to ${subject}, run again with the --allow-${flag} flag`);
  };
  const refused = {};
  const add = (name, access, subject) => {
    const now2 = (...args) => refuse(access, subject(args));
    refused[name] = SYNCHRONOUS.has(name) ? now2 : async (...args) => now2(...args);
    if ((access === "read" || access === "write") && !SYNCHRONOUS.has(name)) refused[`${name}Sync`] = now2;
  };
  const path = ([first]) => first === void 0 || typeof first === "object" && !(first instanceof URL) ? "<TMP>" : JSON.stringify(first instanceof URL ? decodeURIComponent(first.pathname) : String(first));
  const address = ([options]) => {
    const { hostname = "0.0.0.0", port = 0, path: path2 } = options ?? {};
    return JSON.stringify(path2 === void 0 ? `${hostname}:${port}` : `unix:${path2}`);
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
      constructor(command) {
        refuse("run", JSON.stringify(String(command)));
      }
    },
    cwd: () => "/",
    chdir: (path2) => refuse("read", JSON.stringify(String(path2))),
    dlopen: () => refuse("ffi", "<PATH>", "ffi"),
    execPath: () => refuse("read", "<exec_path>"),
    exit: unsupported,
    kill: unsupported,
    addSignalListener() {
    },
    removeSignalListener() {
    },
    openKv: unsupported,
    permissions: permissions(),
    env: environment(variables(settings2), unsupported),
    args: [],
    pid: 1,
    ppid: 0,
    mainModule: "file:///program.js",
    version: host3.version,
    build: host3.build,
    errors: host3.errors,
    inspect: host3.inspect,
    upgradeWebSocket: host3.upgradeWebSocket,
    noColor: true,
    refTimer: host3.refTimer,
    unrefTimer: host3.unrefTimer,
    memoryUsage: () => ({
      rss: 0,
      heapTotal: 0,
      heapUsed: 0,
      external: 0
    })
  };
}
function unrun() {
  const nothing = () => {
  };
  return Object.assign(() => {
  }, {
    ignore: nothing,
    only: nothing,
    skip: nothing,
    beforeAll: nothing,
    beforeEach: nothing,
    afterEach: nothing,
    afterAll: nothing
  });
}
function environment(values, refuse) {
  return Object.freeze({
    get: (name) => Object.hasOwn(values, name) ? values[name] : void 0,
    has: (name) => Object.hasOwn(values, name),
    toObject: () => ({
      ...values
    }),
    set: refuse,
    delete: refuse
  });
}
function permissions() {
  const querySync = ({ name }) => {
    const status = new EventTarget();
    return Object.assign(status, {
      state: name === "net" || name === "env" ? "granted" : "denied",
      onchange: null,
      partial: false
    });
  };
  const query = async (descriptor) => querySync(descriptor);
  return Object.freeze({
    query,
    querySync,
    request: query,
    requestSync: querySync,
    revoke: query,
    revokeSync: querySync
  });
}
var ADDRESS, READS, WRITES, NETS, SYSTEM, SYNCHRONOUS;
var init_deno = __esm({
  "deno.ts"() {
    init_control();
    init_request();
    ADDRESS = {
      transport: "tcp",
      hostname: "0.0.0.0",
      port: 80
    };
    READS = "readTextFile readFile readDir readLink realPath stat lstat open watchFs".split(" ");
    WRITES = "writeTextFile writeFile mkdir makeTempDir makeTempFile remove rename copyFile chmod chown link symlink truncate create utime".split(" ");
    NETS = "connect connectTls listen listenTls listenDatagram startTls".split(" ");
    SYSTEM = "hostname osRelease osUptime loadavg networkInterfaces systemMemoryInfo uid gid".split(" ");
    SYNCHRONOUS = /* @__PURE__ */ new Set([
      "listen",
      "listenTls",
      "listenDatagram",
      "watchFs",
      ...SYSTEM
    ]);
  }
});

// vercel/handler.ts
function handlerOf(exported) {
  if (typeof exported === "function") return exported;
  const object = exported;
  return typeof object?.fetch === "function" ? object.fetch.bind(object) : void 0;
}
function makeHandler(module2) {
  const whole = handlerOf(module2.default);
  if (whole !== void 0) return whole;
  const named = METHODS.filter((method) => typeof module2[method] === "function");
  if (named.length === 0) return void 0;
  const allow = [
    .../* @__PURE__ */ new Set([
      ...named,
      ...named.includes("GET") ? [
        "HEAD"
      ] : [],
      "OPTIONS"
    ])
  ].sort().join(", ");
  return (request, context) => {
    const own3 = module2[request.method] ?? (request.method === "HEAD" ? module2.GET : void 0);
    if (typeof own3 === "function" && METHODS.includes(request.method)) return own3(request, context);
    return request.method === "OPTIONS" ? new Response(null, {
      status: 204,
      headers: {
        allow
      }
    }) : new Response(null, {
      status: 405
    });
  };
}
var METHODS;
var init_handler = __esm({
  "vercel/handler.ts"() {
    METHODS = [
      "GET",
      "HEAD",
      "OPTIONS",
      "POST",
      "PUT",
      "DELETE",
      "PATCH"
    ];
  }
});

// vercel/matcher.ts
function group(pattern, start2) {
  let depth = 0;
  for (let i = start2; i < pattern.length; i++) {
    if (pattern[i] === "\\") i++;
    else if (pattern[i] === "(" && ++depth > 1 && pattern[i + 1] !== "?") throw wrong(pattern, "has a group within a group: write (?:...)");
    else if (pattern[i] === ")" && --depth === 0) return pattern.slice(start2, i + 1);
  }
  throw wrong(pattern, "has an open parenthesis");
}
function pieces(pattern) {
  const found = [];
  for (let i = 0; i < pattern.length; ) {
    const char = pattern[i];
    let whole = char;
    if (char === "(") {
      whole = group(pattern, i);
      found.push([
        "group",
        whole.slice(1, -1)
      ]);
    } else if (char === ":") {
      whole = /^:\w+/.exec(pattern.slice(i))?.[0] ?? "";
      if (whole === "") throw wrong(pattern, "has a : without a name");
      found.push([
        "name",
        whole.slice(1)
      ]);
    } else if (char === "\\") {
      whole = pattern.slice(i, i + 2);
      found.push([
        "literal",
        whole.slice(1)
      ]);
    } else found.push([
      KINDS[char] ?? "text",
      char
    ]);
    i += whole.length;
  }
  return found;
}
function compile(pattern, exact = false) {
  if (!pattern.startsWith("/")) throw wrong(pattern, "must begin with /");
  const all2 = pieces(pattern);
  const names = [];
  let at = 0;
  let out = "";
  const take2 = (kind) => all2[at]?.[0] === kind ? all2[at++][1] : void 0;
  const text2 = () => {
    const value = take2("text") ?? take2("literal");
    return value === void 0 ? "" : value + text2();
  };
  function parameter(before, name, body, after) {
    const modifier = take2("modifier") ?? "";
    const [prefix, suffix] = [
      escaped(before),
      escaped(after)
    ];
    if (name === void 0 && body === void 0) return `(?:${prefix}${suffix})${modifier}`;
    names.push(name ?? null);
    const one = body ?? (exact ? "[^/]+?" : "[^/#?]+?");
    if (prefix + suffix === "") return `(${one})${modifier}`;
    if (modifier === "" || modifier === "?") return `(?:${prefix}(${one})${suffix})${modifier}`;
    return `(?:${prefix}((?:${one})(?:${suffix}${prefix}(?:${one}))*)${suffix})${modifier === "*" ? "?" : ""}`;
  }
  while (at < all2.length) {
    const char = take2("text");
    const name = take2("name");
    const body = take2("group");
    if (name !== void 0 || body !== void 0) {
      const own3 = char === "/" || char === ".";
      out += (own3 ? "" : escaped(char ?? "")) + parameter(own3 ? char : "", name, body, "");
    } else if (char !== void 0) out += escaped(char);
    else if (take2("open") !== void 0) {
      const [before, inner, pattern_, after] = [
        text2(),
        take2("name"),
        take2("group"),
        text2()
      ];
      if (take2("close") === void 0) throw wrong(pattern, "has an open brace");
      out += parameter(before, inner, pattern_, after);
    } else {
      const literal = take2("literal");
      if (literal === void 0) throw wrong(pattern, `has a ${all2[at][1]} that belongs to nothing`);
      out += escaped(literal);
    }
  }
  return {
    regexp: exact ? new RegExp(`^${out}$`) : new RegExp(`^${out === "/" ? "" : out}[/#?]?$`, "i"),
    names
  };
}
function matcher(patterns, agree2) {
  const rules = patterns.map((pattern) => {
    const rule = typeof pattern === "string" ? {
      source: pattern
    } : pattern;
    const conditions = rule.has === void 0 && rule.missing === void 0 ? void 0 : agree2(rule);
    return {
      regexp: compile(rule.source).regexp,
      conditions
    };
  });
  if (rules.length === 0) return () => true;
  return (request) => {
    const path = new URL(request.url).pathname;
    return rules.some(({ regexp, conditions }) => regexp.test(path) && (conditions === void 0 || conditions(request)));
  };
}
function fileRoute(pattern) {
  const names = [];
  let rank = "";
  const out = pattern.replace(/\/+$/, "").split("/").slice(1).map((segment) => {
    const dynamic = /^\[(\[)?(\.\.\.)?([\w-]+)\]?\]$/.exec(segment);
    rank += dynamic === null ? "0" : dynamic[2] === void 0 ? "1" : dynamic[1] === void 0 ? "2" : "3";
    if (dynamic === null) return "/" + escaped(segment);
    names.push(dynamic[3]);
    if (dynamic[2] === void 0) return "/([^/]+)";
    return dynamic[1] === void 0 ? "/(.+)" : "(?:/(.+))?";
  });
  const compiled2 = new RegExp(`^${out.join("")}/?$`);
  return {
    dynamic: names.length > 0,
    rank,
    test(path) {
      const found = compiled2.exec(path);
      if (found === null) return null;
      return Object.fromEntries(names.flatMap((name, i) => found[i + 1] === void 0 ? [] : [
        [
          name,
          decoded(found[i + 1])
        ]
      ]));
    }
  };
}
function decoded(text2) {
  try {
    return decodeURIComponent(text2);
  } catch {
    return text2;
  }
}
var wrong, escaped, KINDS;
var init_matcher = __esm({
  "vercel/matcher.ts"() {
    wrong = (pattern, reason) => new TypeError(`the matcher ${pattern} ${reason}`);
    escaped = (text2) => text2.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    KINDS = {
      "{": "open",
      "}": "close",
      "*": "modifier",
      "+": "modifier",
      "?": "modifier"
    };
  }
});

// vercel/middleware.ts
function outcome(result, request) {
  if (result === void 0 || result === null) return {
    request,
    headers: new Headers()
  };
  if (!(result instanceof RealResponse4)) throw new TypeError(`the middleware returned ${typeof result} in place of a Response`);
  const said = result.headers;
  const rewrite2 = said.get("x-middleware-rewrite");
  const redirect2 = said.get("x-middleware-redirect");
  if (redirect2 !== null) said.set("location", redirect2);
  if (rewrite2 === null && said.get("x-middleware-next") !== "1") return {
    answer: plain2(result)
  };
  return {
    request: changed(request, said, rewrite2),
    headers: visible2(said)
  };
}
function visible2(headers2) {
  return new Headers([
    ...headers2
  ].filter(([name]) => !PROTOCOL.test(name)));
}
function plain2(response) {
  if (![
    ...response.headers.keys()
  ].some((name) => PROTOCOL.test(name))) return response;
  return new RealResponse4(response.body, {
    status: response.status,
    statusText: response.statusText,
    headers: visible2(response.headers)
  });
}
function changed(request, said, rewrite2) {
  const overridden = said.get("x-middleware-override-headers");
  if (overridden === null && rewrite2 === null) return request;
  let headers2 = request.headers;
  if (overridden !== null) {
    headers2 = new Headers();
    for (const name of overridden.split(",").map((item) => item.trim()).filter((item) => item !== "")) {
      const value = said.get(`x-middleware-request-${name}`);
      if (value !== null) headers2.set(name, value);
    }
  }
  const url2 = new URL(rewrite2 ?? request.url, request.url);
  return passedOn(url2.href, request, headers2);
}
function merged(response, headers2) {
  if ([
    ...headers2
  ].length === 0) return response;
  const answer2 = new RealResponse4(response.body, response);
  for (const [name, value] of headers2) {
    if (name === "set-cookie") answer2.headers.append(name, value);
    else answer2.headers.set(name, value);
  }
  return answer2;
}
var RealResponse4, PROTOCOL;
var init_middleware = __esm({
  "vercel/middleware.ts"() {
    init_request();
    RealResponse4 = Response;
    PROTOCOL = /^x-middleware-/;
  }
});

// vercel/conditions.ts
var conditions_exports = {};
__export(conditions_exports, {
  agree: () => agree
});
function cookie(header, name) {
  for (const item of (header ?? "").split(";")) {
    const equals = item.indexOf("=");
    if (equals > 0 && item.slice(0, equals).trim() === name) return item.slice(equals + 1).trim();
  }
  return null;
}
function read(condition) {
  const { type, key } = condition;
  if (type === "host") return (request) => (request.headers.get("host") ?? new URL(request.url).host).replace(HOST_PORT, "").toLowerCase();
  if (typeof key !== "string") throw new TypeError(`a condition on a ${type} names it with key`);
  switch (type) {
    case "header":
      return (request) => request.headers.get(key);
    case "cookie":
      return (request) => cookie(request.headers.get("cookie"), key);
    case "query":
      return (request) => new URL(request.url).searchParams.getAll(key).at(-1) ?? null;
    default:
      throw new TypeError(`a condition is on a header, cookie, query or host, and not on ${String(type)}`);
  }
}
function test(condition) {
  const found = read(condition);
  const { type, key, value } = condition;
  if (value !== void 0 && typeof value !== "string") throw new TypeError(`the value of a condition on a ${type} is a text`);
  if (!value) {
    if (type === "host") throw new TypeError("a condition on the host has a value");
    return (request, values) => {
      const text2 = found(request);
      if (text2) values[key] = text2;
      return Boolean(text2);
    };
  }
  const regexp = new RegExp(`^${value}$`);
  return (request, values) => {
    const text2 = found(request);
    const match = text2 === null || text2 === "" ? null : regexp.exec(text2);
    if (match === null) return false;
    Object.assign(values, match.groups);
    if (type === "host") values.host = match[0];
    return true;
  };
}
var HOST_PORT, agree;
var init_conditions = __esm({
  "vercel/conditions.ts"() {
    HOST_PORT = /:\d+$/;
    agree = ({ has = [], missing: missing2 = [] }) => {
      const [wanted, unwanted] = [
        has.map(test),
        missing2.map(test)
      ];
      return (request, values = {}) => wanted.every((one) => one(request, values)) && !unwanted.some((one) => one(request, {}));
    };
  }
});

// vercel/routing.ts
function matching(rule) {
  const { regexp, names } = compile(rule.source, true);
  const conditions = rule.has === void 0 && rule.missing === void 0 ? null : agree(rule);
  return {
    names,
    test(request, path) {
      const match = regexp.exec(path);
      const values = {};
      if (match === null || conditions !== null && !conditions(request, values)) return null;
      return (template2) => template2.replace(REFERENCE, (_, name) => {
        if (Object.hasOwn(values, name)) return values[name];
        return match[names.lastIndexOf(name) + 1 || Number(name)] ?? "";
      });
    }
  };
}
function captured({ has = [] }) {
  return has.flatMap(({ type, key, value }) => {
    if (!value) return key === void 0 ? [] : [
      key
    ];
    return [
      ...[
        ...value.matchAll(/\(\?<([a-zA-Z]\w*)>/g)
      ].map(([, name]) => name),
      ...type === "host" ? [
        "host"
      ] : []
    ];
  });
}
function template(text2, names) {
  const used = /* @__PURE__ */ new Set();
  const made = text2.replace(/:(\w+)([*+?](?![=&]))?/g, (whole, name) => {
    if (!names.includes(name)) return whole;
    used.add(name);
    return `$${name}`;
  });
  return {
    text: made,
    used
  };
}
function split(destination) {
  const [, path, query = "", hash = ""] = /^([^?#]*)(?:\?([^#]*))?(#.*)?$/.exec(destination);
  return {
    path,
    query,
    hash
  };
}
function redirect(rule) {
  const { test: test2, names } = matching(rule);
  const to = template(rule.destination, [
    ...names.filter((name) => name !== null),
    ...captured(rule)
  ]).text;
  return (request, url2) => {
    const fill = test2(request, url2.pathname);
    if (fill === null) return null;
    const { path, query, hash } = split(fill(to));
    const asked = new URLSearchParams(query);
    const own3 = new Set(asked.keys());
    for (const [name, value] of url2.searchParams) if (!own3.has(name)) asked.append(name, value);
    const search = [
      ...url2.searchParams.keys()
    ].every((name) => own3.has(name)) ? query : asked.toString();
    const location = rule.destination.startsWith("/") ? path.replace(/^\/+/, "/") : path;
    return new Response(null, {
      status: rule.status,
      headers: {
        location: location + (search && `?${search}`) + hash
      }
    });
  };
}
function rewrite(rule) {
  const { test: test2, names } = matching(rule);
  const known2 = [
    ...names.filter((name) => name !== null),
    ...captured(rule)
  ];
  const { path, query, hash } = split(rule.destination);
  const [to, search, end] = [
    template(path, known2),
    template(query, known2),
    template(hash, known2)
  ];
  const given = new Set(new URLSearchParams(query).keys());
  const added = known2.some((name) => to.used.has(name) || end.used.has(name)) ? [] : known2.filter((name) => !given.has(name));
  return (request, path2) => {
    const fill = test2(request, path2);
    if (fill === null) return null;
    const asked = new URLSearchParams();
    for (const [name, value] of new URLSearchParams(search.text)) asked.append(name, fill(value));
    for (const name of added) asked.set(name, fill(`$${name}`));
    const found = fill(to.text);
    return (rule.destination.startsWith("/") ? found.replace(/^\/+/, "/") : found) + (asked.size > 0 ? `?${asked}` : "");
  };
}
function headers(rule) {
  const { test: test2, names } = matching(rule);
  const known2 = [
    ...names.filter((name) => name !== null),
    ...captured(rule)
  ];
  const pairs = rule.headers.map(({ key, value }) => [
    template(key, known2).text,
    template(value, known2).text
  ]);
  return (request, path) => {
    const fill = test2(request, path);
    return fill === null ? [] : pairs.map(([key, value]) => [
      fill(key),
      fill(value)
    ]);
  };
}
function routes(routing) {
  const [away, added] = [
    routing.redirects.map(redirect),
    routing.headers.map(headers)
  ];
  return {
    redirect(request) {
      const url2 = new URL(request.url);
      for (const rule of away) {
        const answer2 = rule(request, url2);
        if (answer2 !== null) return answer2;
      }
      return null;
    },
    headers(request) {
      if (added.length === 0) return null;
      const { pathname } = new URL(request.url);
      const found = added.flatMap((rule) => rule(request, pathname));
      return found.length === 0 ? null : found;
    },
    rewrites: routing.rewrites.map(rewrite)
  };
}
var REFERENCE;
var init_routing = __esm({
  "vercel/routing.ts"() {
    init_conditions();
    init_matcher();
    REFERENCE = /\$([0-9a-zA-Z_]+)/g;
  }
});

// vercel/routed.ts
var routed_exports = {};
__export(routed_exports, {
  route: () => route
});
function route(routing) {
  const { redirect: redirect2, headers: headers2, rewrites } = routes(routing);
  const ofFiles = /* @__PURE__ */ new WeakSet();
  async function dressed2(more, answer2) {
    const given = await answer2;
    if (!(given instanceof RealResponse5)) return given;
    const made = new RealResponse5(given.body, given);
    const own3 = ofFiles.has(given) ? /* @__PURE__ */ new Set() : new Set(given.headers.keys());
    for (const [name, value] of more) if (!own3.has(name.toLowerCase())) made.headers.set(name, value);
    return made;
  }
  return {
    around: (serve) => (request) => {
      const away = redirect2(request);
      if (away !== null) return away;
      const more = headers2(request);
      return more === null ? serve(request) : dressed2(more, serve(request));
    },
    standsFor(made, answer2) {
      if (ofFiles.has(answer2)) ofFiles.add(made);
    },
    onwards(files, asked, assets, nothing) {
      const named = files.filter(({ route: route2 }) => !route2.dynamic);
      const dynamic = files.filter(({ route: route2 }) => route2.dynamic);
      async function file(request, path) {
        if (assets === void 0 || ![
          "GET",
          "HEAD"
        ].includes(request.method)) return void 0;
        const ask = (to) => assets.fetch(passedOn(new URL(to, request.url).href, request));
        let answer2 = await ask(path);
        const shorter = path === new URL(request.url).pathname ? null : answer2.headers.get("location");
        if (answer2.status === 307 && shorter !== null) answer2 = await ask(shorter);
        if (answer2.status !== 404) ofFiles.add(answer2);
        return answer2;
      }
      return async (request) => {
        let path = new URL(request.url).pathname;
        let absent;
        const found = async () => {
          const own4 = asked(request, path, named);
          if (own4 !== null) return own4;
          const answer2 = await file(request, path);
          if (answer2?.status !== 404) return answer2 === void 0 ? null : () => answer2;
          absent = answer2;
          return null;
        };
        const first = await found();
        if (first !== null) return first();
        for (const rewrite2 of rewrites) {
          const to = rewrite2(request, path);
          if (to === null) continue;
          const url2 = new URL(to, request.url);
          if (!to.startsWith("/")) return await fetch(passedOn(queried(request, url2), request), {
            redirect: "manual"
          });
          const seen = new URL(request.url);
          if (url2.search !== "") request = passedOn(queried(request, new URL(seen.pathname + url2.search, seen)), request);
          path = url2.pathname;
          const own4 = await found();
          if (own4 !== null) return own4();
        }
        const own3 = asked(request, path, dynamic);
        return own3 === null ? absent ?? assets?.fetch(request) ?? nothing() : own3();
      };
    }
  };
}
function queried(request, to) {
  const asked = new URL(request.url).searchParams;
  for (const name of new Set(to.searchParams.keys())) asked.delete(name);
  for (const [name, value] of to.searchParams) asked.append(name, value);
  const url2 = new URL(to);
  url2.search = asked.toString();
  return url2.href;
}
var RealResponse5;
var init_routed = __esm({
  "vercel/routed.ts"() {
    init_request();
    init_routing();
    RealResponse5 = Response;
  }
});

// vercel/crons.ts
var crons_exports = {};
__export(crons_exports, {
  calling: () => calling
});
function calling(crons, name, secret, serve) {
  async function call2(path, schedule) {
    const headers2 = new Headers({
      "user-agent": "vercel-cron/1.0",
      "x-vercel-cron-schedule": schedule,
      host: name
    });
    if (secret) headers2.set("authorization", `Bearer ${secret}`);
    const request = new RealRequest3(`https://${name}${path}`, {
      headers: headers2
    });
    arrived(request, null);
    const answer2 = await serve(request);
    await answer2.body?.pipeTo(new WritableStream());
    if (answer2.status >= 400) throw new Error(`GET ${path} was answered with ${answer2.status}`);
  }
  return async ({ cron }) => {
    const due = crons.filter(({ schedule }) => schedule === cron);
    if (due.length === 0) throw new Error(`no cron of vercel.json has the schedule ${cron}`);
    const done = await Promise.allSettled(due.map(({ path, schedule }) => call2(path, schedule)));
    const failed = done.find((one) => one.status === "rejected");
    if (failed !== void 0) throw failed.reason;
  };
}
var RealRequest3;
var init_crons = __esm({
  "vercel/crons.ts"() {
    init_request();
    RealRequest3 = Request;
  }
});

// vercel/load.ts
var load_exports = {};
__export(load_exports, {
  prepare: () => prepare2
});
function waitUntil(promise) {
  Promise.resolve(promise).catch((error) => report.error("waitUntil", error));
}
function contextOf(request) {
  return {
    waitUntil(promise) {
      outlive(request);
      waitUntil(promise);
    }
  };
}
async function prepare2(given) {
  const { settings: settings2, services, source: source2 } = given;
  const parts2 = {};
  if (/\bvercelJson\b/.test(source2)) {
    parts2.routing = await Promise.resolve().then(() => (init_routed(), routed_exports));
    parts2.crons = await Promise.resolve().then(() => (init_crons(), crons_exports));
  }
  if (/\b(?:has|missing)\b["']?\s*:/.test(source2)) parts2.agree = (await Promise.resolve().then(() => (init_conditions(), conditions_exports))).agree;
  return async (load) => {
    installGlobals(settings2);
    dressRequests(extras(settings2.region), () => {
    });
    const module2 = await load();
    const { routing, crons = [] } = module2.vercelJson ?? {};
    const serve = serving(module2, given, routing && parts2.routing?.route(routing), parts2.agree);
    const program = (request) => {
      const { geo } = services;
      const place = geo === void 0 ? null : geo.locate(request.headers.get("x-real-ip") ?? "");
      if (place instanceof Promise) return place.then((found) => (arrived(request, found), serve(request)));
      arrived(request, place);
      return serve(request);
    };
    const call2 = parts2.crons?.calling(crons, settings2.function, settings2.env.CRON_SECRET, serve);
    return controlled(program, settings2.control, crons.length === 0 ? void 0 : call2);
  };
}
function installGlobals(settings2) {
  const env = process.env;
  Object.assign(env, {
    VERCEL: "1",
    VERCEL_ENV: "production",
    VERCEL_REGION: settings2.region,
    NODE_ENV: "production",
    NEXT_RUNTIME: "edge"
  }, settings2.env);
  const requestContext = {
    get: () => ({
      waitUntil
    })
  };
  Object.assign(globalThis, {
    EdgeRuntime: "edge-runtime",
    [Symbol.for("@vercel/request-context")]: requestContext
  });
}
function extras(region) {
  const ofPlace = (key) => (_, place) => known(place?.[key]);
  return /* @__PURE__ */ new Map([
    [
      "x-vercel-ip-country",
      (get, place) => {
        const code = get("x-nearhop-country") ?? "XX";
        return code === "XX" ? place?.country ?? null : code;
      }
    ],
    [
      "x-vercel-ip-country-region",
      ofPlace("region_code")
    ],
    [
      "x-vercel-ip-city",
      (_, place) => place?.city ? encodeURIComponent(place.city) : null
    ],
    [
      "x-vercel-ip-latitude",
      ofPlace("latitude")
    ],
    [
      "x-vercel-ip-longitude",
      ofPlace("longitude")
    ],
    [
      "x-vercel-ip-timezone",
      ofPlace("timezone")
    ],
    [
      "x-vercel-ip-postal-code",
      ofPlace("postal_code")
    ],
    [
      "x-vercel-ip-continent",
      ofPlace("continent")
    ],
    [
      "x-vercel-ip-as-number",
      ofPlace("asn")
    ],
    [
      "x-vercel-id",
      (get) => `${region}::${(get("x-request-id") ?? "").replaceAll("-", "").slice(-16)}`
    ],
    [
      "x-vercel-forwarded-for",
      (get) => get("x-forwarded-for")
    ],
    [
      "x-forwarded-host",
      (get) => get("host")
    ]
  ]);
}
function serving(module2, { settings: settings2, services }, routed, agree2) {
  const { edge_routes, matchers } = settings2.manifest;
  const middleware = middlewareOf(module2, edge_routes.length > 0);
  const files = edge_routes.map(({ path, export: name }) => {
    const handler2 = makeHandler(module2[name] ?? {});
    if (handler2 === void 0) throw missing(path);
    return {
      route: fileRoute(path),
      handler: handler2
    };
  }).sort((a, b) => a.route.rank < b.route.rank ? -1 : 1);
  const alone = middleware === void 0 && edge_routes.length === 0 ? makeHandler(module2) : void 0;
  if (alone !== void 0) return (request) => alone(request, contextOf(request));
  if (middleware === void 0 && files.length === 0 && routed === void 0) throw missing("the program");
  function asked(request, path, among) {
    for (const { route: route2, handler: handler2 } of among) {
      const params = route2.test(path);
      if (params !== null) return () => handler2(withParams(request, params), {
        ...contextOf(request),
        params: Promise.resolve(params)
      });
    }
    return null;
  }
  const nothing = () => new Response("The page could not be found\n", {
    status: 404,
    headers: {
      "x-vercel-error": "NOT_FOUND"
    }
  });
  const onwards = routed?.onwards(files, asked, services.assets, nothing) ?? ((request) => {
    const own3 = asked(request, new URL(request.url).pathname, files);
    return own3 === null ? services.assets?.fetch(request) ?? nothing() : own3();
  });
  let serve = onwards;
  if (middleware !== void 0) {
    const matches = matcher(matchers.length > 0 ? matchers : ownMatchers(module2), agree2);
    serve = async (request) => {
      if (!matches(request)) return onwards(request);
      const decided = outcome(await middleware(request, contextOf(request)), request);
      if ("answer" in decided) return decided.answer;
      const elsewhere = new URL(decided.request.url).host !== new URL(request.url).host;
      const answer2 = elsewhere ? await fetch(decided.request, {
        redirect: "manual"
      }) : await onwards(decided.request);
      if (!(answer2 instanceof Response)) return answer2;
      const made = merged(answer2, decided.headers);
      routed?.standsFor(made, answer2);
      return made;
    };
  }
  return routed?.around(serve) ?? serve;
}
function middlewareOf(module2, beside) {
  const named = module2.middleware ?? module2.proxy;
  if (typeof named === "function") return named;
  if (typeof named === "object" && named !== null) {
    const inner = named;
    return inner.middleware ?? inner.proxy ?? inner.default;
  }
  const declared = module2.config?.matcher !== void 0;
  return (declared || beside) && typeof module2.default === "function" ? module2.default : void 0;
}
function ownMatchers(module2) {
  const inner = typeof module2.middleware === "object" && module2.middleware !== null ? module2.middleware : module2;
  const { matcher: matcher2 } = inner.config ?? {};
  return Array.isArray(matcher2) ? matcher2 : matcher2 === void 0 ? [] : [
    matcher2
  ];
}
function withParams(request, params) {
  if (Object.keys(params).length === 0) return request;
  const url2 = new URL(request.url);
  for (const [name, value] of Object.entries(params)) url2.searchParams.set(name, value);
  return passedOn(url2.href, request);
}
var missing;
var init_load = __esm({
  "vercel/load.ts"() {
    init_control();
    init_headers();
    init_report();
    init_request();
    init_handler();
    init_matcher();
    init_middleware();
    missing = (what) => new TypeError(`No default or HTTP-named export was found at ${what}: an edge function has \`export default function (request) { ... }\` or \`export function GET(request) { ... }\``);
  }
});

// workers/bindings.ts
function uuid(digest) {
  const hex = digest.padEnd(32, "0").slice(0, 32);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20)
  ].join("-");
}
function bindings(settings2, services) {
  const { assets, rate_limiters, version_binding } = settings2.manifest;
  const env = {
    ...settings2.env
  };
  if (assets !== null && assets.binding !== "") {
    env[assets.binding] = services.assets ?? {
      fetch: () => Promise.reject(new Error("the node has no file server"))
    };
  }
  for (const limiter of rate_limiters) env[limiter.name] = new RateLimit(limiter);
  if (version_binding !== "") {
    env[version_binding] = {
      id: uuid(settings2.digest),
      tag: `v${settings2.version}`,
      timestamp: settings2.createdAt.toISOString()
    };
  }
  return env;
}
var KEYS_MAX, RateLimit;
var init_bindings = __esm({
  "workers/bindings.ts"() {
    KEYS_MAX = 1e4;
    RateLimit = class {
      #limit;
      #periodMs;
      #counts = /* @__PURE__ */ new Map();
      #until = 0;
      constructor(limiter) {
        this.#limit = limiter.limit;
        this.#periodMs = limiter.period_s * 1e3;
      }
      // deno-lint-ignore require-await
      async limit(options) {
        if (typeof options?.key !== "string") throw new TypeError("limit() needs { key: string }");
        const now2 = performance.now();
        if (now2 >= this.#until) {
          this.#until = now2 + this.#periodMs;
          this.#counts.clear();
        }
        const count = (this.#counts.get(options.key) ?? 0) + 1;
        if (count === 1 && this.#counts.size >= KEYS_MAX) this.#counts.delete(this.#counts.keys().next().value);
        this.#counts.set(options.key, count);
        return {
          success: count <= this.#limit
        };
      }
    };
  }
});

// workers/context.ts
function illegal() {
  throw new TypeError("Illegal invocation");
}
function watch(promise) {
  return Promise.resolve(promise).then(() => {
  }, (error) => report.error("waitUntil", error));
}
var ExecutionContext, ScheduledContext;
var init_context = __esm({
  "workers/context.ts"() {
    init_report();
    init_request();
    ExecutionContext = class {
      #passes = false;
      #request;
      props = {};
      exports = {};
      constructor(request) {
        this.#request = request;
      }
      waitUntil(promise) {
        if (!(typeof this === "object" && this !== null && #passes in this)) illegal();
        if (this.#request !== void 0) outlive(this.#request);
        watch(promise);
      }
      passThroughOnException() {
        if (!(typeof this === "object" && this !== null && #passes in this)) illegal();
        this.#passes = true;
      }
      abort(reason) {
        throw reason ?? new Error("the program called ctx.abort()");
      }
      static passes(context) {
        return context.#passes;
      }
    };
    ScheduledContext = class extends ExecutionContext {
      #waiting = [];
      waitUntil(promise) {
        if (!(typeof this === "object" && this !== null && #waiting in this)) illegal();
        this.#waiting.push(Promise.resolve(promise));
      }
      /** Wait for everything, also for what is added meanwhile. Throws what the first failure threw. */
      static async settled(context) {
        for (let next; (next = context.#waiting.shift()) !== void 0; ) await next;
      }
    };
  }
});

// workers/incoming.ts
function describe(headers2, place, settings2) {
  const code = country(headers2);
  const secure2 = headers2.get("x-forwarded-proto") === "https";
  const cf = {
    asn: place?.asn ?? void 0,
    asOrganization: text(place?.as_organization),
    city: text(place?.city),
    continent: text(place?.continent),
    country: code === "XX" ? text(place?.country) : code,
    isEUCountry: place?.is_eu ? "1" : void 0,
    latitude: text(place?.latitude),
    longitude: text(place?.longitude),
    metroCode: text(place?.metro_code),
    postalCode: text(place?.postal_code),
    region: text(place?.region),
    regionCode: text(place?.region_code),
    timezone: text(place?.timezone),
    colo: settings2.region,
    clientAcceptEncoding: headers2.get("accept-encoding") ?? "",
    edgeRequestKeepAliveStatus: 1,
    httpProtocol: "HTTP/1.1",
    requestPriority: "",
    tlsCipher: "",
    tlsVersion: secure2 ? "TLSv1.3" : ""
  };
  for (const name of Object.keys(cf)) if (cf[name] === void 0) delete cf[name];
  return cf;
}
function extras2(region) {
  const suffix = `-${region.toUpperCase()}`;
  const visitor = VISITOR.map(([name, key]) => [
    name,
    (_, place) => known(place?.[key])
  ]);
  return new Map([
    [
      "cf-connecting-ip",
      (get) => get("x-real-ip")
    ],
    [
      "cf-ipcountry",
      (get) => get("x-nearhop-country") ?? "XX"
    ],
    [
      "cf-ray",
      (get) => (get("x-request-id") ?? "").replaceAll("-", "").slice(-16) + suffix
    ],
    [
      "cf-visitor",
      (get) => get("x-forwarded-proto") === "https" ? '{"scheme":"https"}' : '{"scheme":"http"}'
    ],
    ...visitor
  ]);
}
function getAll(name) {
  if (String(name).toLowerCase() !== "set-cookie") throw new TypeError('getAll() can only be used with the header name "Set-Cookie".');
  return this.getSetCookie();
}
function installIncoming(settings2) {
  function cfOf(request) {
    let cf = described.get(request);
    if (cf === void 0 && hasArrived(request)) described.set(request, cf = describe(request.headers, placeOf(request), settings2));
    return cf;
  }
  dressRequests(extras2(settings2.region), (from, to, init) => {
    const cf = init?.cf ?? (from instanceof Request ? cfOf(from) : void 0);
    if (cf !== void 0) described.set(to, cf);
  });
  Object.defineProperty(Headers.prototype, "getAll", {
    configurable: true,
    writable: true,
    value: getAll
  });
  Object.defineProperty(Request.prototype, "cf", {
    configurable: true,
    enumerable: true,
    get() {
      return cfOf(this);
    }
  });
}
var described, text, country, VISITOR;
var init_incoming = __esm({
  "workers/incoming.ts"() {
    init_headers();
    init_request();
    described = /* @__PURE__ */ new WeakMap();
    text = (value) => value === null || value === void 0 ? void 0 : String(value);
    country = (headers2) => headers2.get("x-nearhop-country") ?? "XX";
    VISITOR = [
      [
        "cf-ipcity",
        "city"
      ],
      [
        "cf-ipcontinent",
        "continent"
      ],
      [
        "cf-iplatitude",
        "latitude"
      ],
      [
        "cf-iplongitude",
        "longitude"
      ],
      [
        "cf-region",
        "region"
      ],
      [
        "cf-region-code",
        "region_code"
      ],
      [
        "cf-metro-code",
        "metro_code"
      ],
      [
        "cf-postal-code",
        "postal_code"
      ],
      [
        "cf-timezone",
        "timezone"
      ]
    ];
  }
});

// workers/websocket.ts
var websocket_exports = {};
__export(websocket_exports, {
  installWebSockets: () => installWebSockets
});
function copied(data) {
  if (typeof data === "string") return data;
  if (data instanceof ArrayBuffer) return data.slice(0);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice().buffer;
  return String(data);
}
async function dial(request, carried) {
  if (!/^https?:/.test(request.url)) throw new TypeError(`fetch cannot reach ${new URL(request.url).protocol} URLs`);
  const url2 = request.url.replace(/^http/, "ws");
  const { headers: headers2, signal } = request;
  signal.throwIfAborted();
  const protocols = (headers2.get("sec-websocket-protocol") ?? "").split(",").map((text2) => text2.trim()).filter((text2) => text2 !== "");
  const options = {
    protocols,
    headers: [
      ...headers2
    ].filter(([name]) => !HANDSHAKE.test(name))
  };
  const socket2 = new WebSocket(url2, options);
  const [mine, other] = End.pair();
  End.join(other, socket2);
  const opened = await new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => (socket2.close(), reject(signal.reason)), {
      once: true
    });
    socket2.addEventListener("open", () => resolve(true));
    socket2.addEventListener("error", (event) => {
      const said = event.message ?? "";
      const status = Number(/Invalid status code: ([1-5]\d\d)/.exec(said)?.[1]);
      if (status >= 200) resolve(status);
      else reject(new TypeError(`the WebSocket could not be opened: ${said}`));
    });
  });
  if (opened !== true) return Object.defineProperty(new Response(null, {
    status: Number(opened)
  }), "webSocket", {
    value: null
  });
  const agreed = socket2.protocol === "" ? {} : {
    "sec-websocket-protocol": socket2.protocol
  };
  const response = new Response(null, {
    headers: {
      upgrade: "websocket",
      ...agreed
    }
  });
  carried.set(response, mine);
  return Object.defineProperties(response, {
    status: {
      value: 101
    },
    webSocket: {
      value: mine
    }
  });
}
function dialing(realFetch2, carried) {
  const RealRequest4 = Request;
  const wanted = (headers2) => headers2 !== void 0 && new Headers(headers2).get("upgrade")?.toLowerCase() === "websocket";
  return {
    fetch(input, init) {
      if (!wanted(init?.headers ?? (input instanceof RealRequest4 ? input.headers : void 0))) return realFetch2(input, init);
      return (async () => dial(new Request(input, init), carried))();
    }
  }.fetch;
}
function installWebSockets(host3) {
  const carried = /* @__PURE__ */ new WeakMap();
  const RealResponse7 = Response;
  const upgrade = host3.upgradeWebSocket;
  const Outer = new Proxy(RealResponse7, {
    construct(target, args, newTarget) {
      const init = args[1];
      const end = init?.webSocket;
      if (end === void 0 || end === null) return Reflect.construct(target, args, newTarget);
      if (!(end instanceof End)) throw new TypeError("webSocket is not an end of a WebSocketPair");
      if (init.status !== 101) throw new RangeError("Responses with a WebSocket must have status code 101.");
      const response = Reflect.construct(target, [
        null,
        {
          ...init,
          status: 200
        }
      ], newTarget);
      carried.set(response, end);
      return Object.defineProperties(response, {
        status: {
          value: 101
        },
        webSocket: {
          value: end
        }
      });
    }
  });
  RealResponse7.prototype.constructor = Outer;
  Object.assign(globalThis, {
    Response: Outer,
    WebSocketPair,
    fetch: dialing(globalThis.fetch, carried)
  });
  function joined(request, result) {
    const end = result instanceof RealResponse7 ? carried.get(result) : void 0;
    if (end === void 0) return result;
    const protocol = result.headers.get("sec-websocket-protocol") ?? void 0;
    const { socket: socket2, response } = upgrade(request, {
      protocol,
      idleTimeout: 0
    });
    End.join(end, socket2);
    return response;
  }
  return (program) => (request, info) => {
    const result = program(request, info);
    return result instanceof Promise ? result.then((response) => joined(request, response)) : joined(request, result);
  };
}
var HELD_MAX, End, WebSocketPair, HANDSHAKE;
var init_websocket = __esm({
  "workers/websocket.ts"() {
    HELD_MAX = 1e3;
    End = class _End extends EventTarget {
      static CONNECTING = 0;
      static OPEN = 1;
      static CLOSING = 2;
      static CLOSED = 3;
      READY_STATE_OPEN = 1;
      url = null;
      protocol = "";
      extensions = "";
      readyState = _End.OPEN;
      #peer;
      #accepted = false;
      #held = [];
      static pair() {
        const [one, other] = [
          new _End(),
          new _End()
        ];
        one.#peer = other;
        other.#peer = one;
        return [
          one,
          other
        ];
      }
      accept() {
        if (this.#accepted) return;
        this.#accepted = true;
        for (const event of this.#held.splice(0)) queueMicrotask(() => this.dispatchEvent(event));
      }
      send(data) {
        if (!this.#accepted) throw new TypeError("You must call accept() on this WebSocket before sending messages.");
        if (this.readyState !== _End.OPEN) throw new TypeError("Can't call WebSocket send() after close().");
        this.#peer.#deliver(new MessageEvent("message", {
          data: copied(data)
        }));
      }
      close(code, reason = "") {
        if (code !== void 0 && (code < 1e3 || code >= 5e3 || code === 1004 || code === 1005 || code === 1006 || code === 1015)) {
          throw new TypeError("Invalid WebSocket close code.");
        }
        if (this.readyState >= _End.CLOSING) return;
        this.readyState = this.#peer.readyState >= _End.CLOSING ? _End.CLOSED : _End.CLOSING;
        this.#peer.#deliver(new CloseEvent("close", {
          code: code ?? 1005,
          reason,
          wasClean: true
        }));
      }
      serializeAttachment() {
        throw new TypeError("attachments belong to Durable Objects, which are not available");
      }
      #deliver(event) {
        if (event.type === "close") this.readyState = this.readyState === _End.CLOSING ? _End.CLOSED : _End.CLOSING;
        if (!this.#accepted) {
          if (this.#held.length >= HELD_MAX) throw new TypeError("too many messages wait for accept()");
          this.#held.push(event);
        } else queueMicrotask(() => this.dispatchEvent(event));
      }
      /** Join this end to a real connection: what its peer sends goes out, what comes in reaches its peer. */
      static join(end, socket2) {
        socket2.binaryType = "arraybuffer";
        end.addEventListener("message", (event) => socket2.readyState === WebSocket.OPEN && socket2.send(event.data));
        end.addEventListener("close", (event) => {
          const { code, reason } = event;
          if (code === 1e3 || code >= 3e3) socket2.close(code, reason);
          else socket2.close();
        });
        socket2.addEventListener("open", () => end.accept());
        socket2.addEventListener("message", (event) => {
          if (end.readyState !== _End.OPEN) return;
          try {
            end.send(event.data);
          } catch (error) {
            socket2.close();
            throw error;
          }
        });
        socket2.addEventListener("close", (event) => end.#peer.#deliver(new CloseEvent("close", {
          code: event.code,
          reason: event.reason,
          wasClean: event.wasClean
        })));
        socket2.addEventListener("error", () => end.#peer.#deliver(new Event("error")));
      }
    };
    for (const name of [
      "message",
      "close",
      "error",
      "open"
    ]) {
      const handlers = /* @__PURE__ */ new WeakMap();
      Object.defineProperty(End.prototype, `on${name}`, {
        configurable: true,
        get() {
          return handlers.get(this) ?? null;
        },
        set(handler2) {
          if (!handlers.has(this)) this.addEventListener(name, (event) => handlers.get(this)?.call(this, event));
          if (typeof handler2 === "function") handlers.set(this, handler2);
          else handlers.delete(this);
        }
      });
    }
    WebSocketPair = class {
      0;
      1;
      constructor() {
        [this[0], this[1]] = End.pair();
      }
    };
    HANDSHAKE = /^(?:connection|content-length|host|keep-alive|transfer-encoding|upgrade|user-agent|sec-websocket-.*)$/;
  }
});

// workers/events.ts
var events_exports = {};
__export(events_exports, {
  listenForEvents: () => listenForEvents
});
function listenForEvents(env) {
  const listeners = {
    fetch: [],
    scheduled: []
  };
  const add = globalThis.addEventListener.bind(globalThis);
  const remove = globalThis.removeEventListener.bind(globalThis);
  const ours = (type) => type === "fetch" || type === "scheduled";
  globalThis.addEventListener = (type, listener, options) => {
    if (ours(type)) listeners[type].push(listener);
    else add(type, listener, options);
  };
  globalThis.removeEventListener = (type, listener) => {
    if (ours(type)) listeners[type] = listeners[type].filter((other) => other !== listener);
    else remove(type, listener);
  };
  Object.assign(globalThis, env, {
    FetchEvent,
    ExtendableEvent,
    ScheduledEvent
  });
  return {
    handles: (kind) => listeners[kind].length > 0,
    fetch(request, _env, context) {
      const event = new FetchEvent(request, context);
      for (const listener of listeners.fetch) {
        call(listener, event);
        if (FetchEvent.answered(event)) break;
      }
      return FetchEvent.answer(event);
    },
    scheduled(scheduled, context) {
      for (const listener of listeners.scheduled) call(listener, new ScheduledEvent(scheduled, context));
    }
  };
}
var ExtendableEvent, FetchEvent, ScheduledEvent, call;
var init_events = __esm({
  "workers/events.ts"() {
    ExtendableEvent = class extends Event {
      #context;
      constructor(type, context) {
        super(type);
        this.#context = context;
      }
      waitUntil(promise) {
        this.#context.waitUntil(promise);
      }
      passThroughOnException() {
        this.#context.passThroughOnException();
      }
    };
    FetchEvent = class extends ExtendableEvent {
      #answer;
      #answered = false;
      request;
      constructor(request, context) {
        super("fetch", context);
        this.request = request;
      }
      respondWith(answer2) {
        if (this.#answered) throw new TypeError("FetchEvent.respondWith() has already been called; it can only be called once.");
        this.#answered = true;
        this.#answer = answer2;
      }
      static answer(event) {
        if (!event.#answered) throw new TypeError("no listener of the fetch event called respondWith()");
        return event.#answer;
      }
      static answered(event) {
        return event.#answered;
      }
    };
    ScheduledEvent = class extends ExtendableEvent {
      cron;
      scheduledTime;
      constructor(scheduled, context) {
        super("scheduled", context);
        this.cron = scheduled.cron;
        this.scheduledTime = scheduled.scheduledTime;
      }
      noRetry() {
      }
    };
    call = (listener, event) => typeof listener === "function" ? listener(event) : listener.handleEvent(event);
  }
});

// vendor/htmlrewriter.js
function make() {
  var p;
  function B(_) {
    p = _;
  }
  var j = null;
  function K() {
    return (j === null || j.buffer !== p.memory.buffer) && (j = new Int32Array(p.memory.buffer)), j;
  }
  var R = {
    NONE: 0,
    UNWINDING: 1,
    REWINDING: 2
  };
  function D(_, e) {
    if (_ !== e) throw new Error(`Expected ${_} to equal ${e}`);
  }
  function C(_) {
    if (!_) throw new Error("Assertion failed");
  }
  function v() {
    D(p.asyncify_get_state(), R.NONE);
  }
  var y = /* @__PURE__ */ new Map();
  function L(_, e) {
    if (p.asyncify_get_state() === R.REWINDING) {
      p.asyncify_stop_rewind();
      return;
    }
    v(), D(_ % 4, 0), K().set([
      _ + 8,
      _ + 1024
    ], _ / 4), p.asyncify_start_unwind(_), C(!y.has(_)), y.set(_, e);
  }
  async function P(_, e, ...n) {
    let a = _.asyncifyStackPtr;
    v();
    let r = e(...n);
    for (; p.asyncify_get_state() === R.UNWINDING; ) p.asyncify_stop_unwind(), v(), C(y.has(a)), await y.get(a), y.delete(a), v(), p.asyncify_start_rewind(a), r = e();
    return v(), r;
  }
  var t, d = new Array(32).fill(void 0);
  d.push(void 0, null, true, false);
  function w(_) {
    return d[_];
  }
  var x = d.length;
  function H(_) {
    _ < 36 || (d[_] = x, x = _);
  }
  function m(_) {
    let e = w(_);
    return H(_), e;
  }
  var q = new TextDecoder("utf-8", {
    ignoreBOM: true,
    fatal: true
  });
  q.decode();
  var I = null;
  function A() {
    return (I === null || I.buffer !== t.memory.buffer) && (I = new Uint8Array(t.memory.buffer)), I;
  }
  function h(_, e) {
    return q.decode(A().subarray(_, _ + e));
  }
  function i(_) {
    x === d.length && d.push(d.length + 1);
    let e = x;
    return x = d[e], d[e] = _, e;
  }
  function U(_) {
    let e = typeof _;
    if (e == "number" || e == "boolean" || _ == null) return `${_}`;
    if (e == "string") return `"${_}"`;
    if (e == "symbol") {
      let r = _.description;
      return r == null ? "Symbol" : `Symbol(${r})`;
    }
    if (e == "function") {
      let r = _.name;
      return typeof r == "string" && r.length > 0 ? `Function(${r})` : "Function";
    }
    if (Array.isArray(_)) {
      let r = _.length, o = "[";
      r > 0 && (o += U(_[0]));
      for (let c = 1; c < r; c++) o += ", " + U(_[c]);
      return o += "]", o;
    }
    let n = /\[object ([^\]]+)\]/.exec(toString.call(_)), a;
    if (n.length > 1) a = n[1];
    else return toString.call(_);
    if (a == "Object") try {
      return "Object(" + JSON.stringify(_) + ")";
    } catch {
      return "Object";
    }
    return _ instanceof Error ? `${_.name}: ${_.message}
${_.stack}` : a;
  }
  var s = 0, k = new TextEncoder("utf-8"), J = typeof k.encodeInto == "function" ? function(_, e) {
    return k.encodeInto(_, e);
  } : function(_, e) {
    let n = k.encode(_);
    return e.set(n), {
      read: _.length,
      written: n.length
    };
  };
  function l(_, e, n) {
    if (n === void 0) {
      let u = k.encode(_), g = e(u.length);
      return A().subarray(g, g + u.length).set(u), s = u.length, g;
    }
    let a = _.length, r = e(a), o = A(), c = 0;
    for (; c < a; c++) {
      let u = _.charCodeAt(c);
      if (u > 127) break;
      o[r + c] = u;
    }
    if (c !== a) {
      c !== 0 && (_ = _.slice(c)), r = n(r, a, a = c + _.length * 3);
      let u = A().subarray(r + c, r + a), g = J(_, u);
      c += g.written;
    }
    return s = c, r;
  }
  var E = null;
  function f() {
    return (E === null || E.buffer !== t.memory.buffer) && (E = new Int32Array(t.memory.buffer)), E;
  }
  function b(_) {
    return _ == null;
  }
  var N = 32;
  function V(_) {
    if (N == 1) throw new Error("out of js stack");
    return d[--N] = _, N;
  }
  function z(_, e) {
    let n = e(_.length * 1);
    return A().set(_, n / 1), s = _.length, n;
  }
  function Q(_, e) {
    try {
      return _.apply(this, e);
    } catch (n) {
      t.__wbindgen_exn_store(i(n));
    }
  }
  var O = class _ {
    static __wrap(e) {
      let n = Object.create(_.prototype);
      return n.ptr = e, n;
    }
    __destroy_into_raw() {
      let e = this.ptr;
      return this.ptr = 0, e;
    }
    free() {
      let e = this.__destroy_into_raw();
      t.__wbg_comment_free(e);
    }
    before(e, n) {
      var a = l(e, t.__wbindgen_malloc, t.__wbindgen_realloc), r = s;
      t.comment_before(this.ptr, a, r, b(n) ? 0 : i(n));
    }
    after(e, n) {
      var a = l(e, t.__wbindgen_malloc, t.__wbindgen_realloc), r = s;
      t.comment_after(this.ptr, a, r, b(n) ? 0 : i(n));
    }
    replace(e, n) {
      var a = l(e, t.__wbindgen_malloc, t.__wbindgen_realloc), r = s;
      t.comment_replace(this.ptr, a, r, b(n) ? 0 : i(n));
    }
    remove() {
      t.comment_remove(this.ptr);
    }
    get removed() {
      var e = t.comment_removed(this.ptr);
      return e !== 0;
    }
    get text() {
      try {
        let a = t.__wbindgen_add_to_stack_pointer(-16);
        t.comment_text(a, this.ptr);
        var e = f()[a / 4 + 0], n = f()[a / 4 + 1];
        return h(e, n);
      } finally {
        t.__wbindgen_add_to_stack_pointer(16), t.__wbindgen_free(e, n);
      }
    }
    set text(e) {
      var n = l(e, t.__wbindgen_malloc, t.__wbindgen_realloc), a = s;
      t.comment_set_text(this.ptr, n, a);
    }
  }, S = class _ {
    static __wrap(e) {
      let n = Object.create(_.prototype);
      return n.ptr = e, n;
    }
    __destroy_into_raw() {
      let e = this.ptr;
      return this.ptr = 0, e;
    }
    free() {
      let e = this.__destroy_into_raw();
      t.__wbg_doctype_free(e);
    }
    get name() {
      var e = t.doctype_name(this.ptr);
      return m(e);
    }
    get publicId() {
      var e = t.doctype_public_id(this.ptr);
      return m(e);
    }
    get systemId() {
      var e = t.doctype_system_id(this.ptr);
      return m(e);
    }
  }, F = class _ {
    static __wrap(e) {
      let n = Object.create(_.prototype);
      return n.ptr = e, n;
    }
    __destroy_into_raw() {
      let e = this.ptr;
      return this.ptr = 0, e;
    }
    free() {
      let e = this.__destroy_into_raw();
      t.__wbg_documentend_free(e);
    }
    append(e, n) {
      var a = l(e, t.__wbindgen_malloc, t.__wbindgen_realloc), r = s;
      t.documentend_append(this.ptr, a, r, b(n) ? 0 : i(n));
    }
  }, W = class _ {
    static __wrap(e) {
      let n = Object.create(_.prototype);
      return n.ptr = e, n;
    }
    __destroy_into_raw() {
      let e = this.ptr;
      return this.ptr = 0, e;
    }
    free() {
      let e = this.__destroy_into_raw();
      t.__wbg_element_free(e);
    }
    before(e, n) {
      var a = l(e, t.__wbindgen_malloc, t.__wbindgen_realloc), r = s;
      t.element_before(this.ptr, a, r, b(n) ? 0 : i(n));
    }
    after(e, n) {
      var a = l(e, t.__wbindgen_malloc, t.__wbindgen_realloc), r = s;
      t.element_after(this.ptr, a, r, b(n) ? 0 : i(n));
    }
    replace(e, n) {
      var a = l(e, t.__wbindgen_malloc, t.__wbindgen_realloc), r = s;
      t.element_replace(this.ptr, a, r, b(n) ? 0 : i(n));
    }
    remove() {
      t.element_remove(this.ptr);
    }
    get removed() {
      var e = t.element_removed(this.ptr);
      return e !== 0;
    }
    get tagName() {
      try {
        let a = t.__wbindgen_add_to_stack_pointer(-16);
        t.element_tag_name(a, this.ptr);
        var e = f()[a / 4 + 0], n = f()[a / 4 + 1];
        return h(e, n);
      } finally {
        t.__wbindgen_add_to_stack_pointer(16), t.__wbindgen_free(e, n);
      }
    }
    set tagName(e) {
      var n = l(e, t.__wbindgen_malloc, t.__wbindgen_realloc), a = s;
      t.element_set_tag_name(this.ptr, n, a);
    }
    get namespaceURI() {
      var e = t.element_namespace_uri(this.ptr);
      return m(e);
    }
    get attributes() {
      var e = t.element_attributes(this.ptr);
      return m(e);
    }
    getAttribute(e) {
      var n = l(e, t.__wbindgen_malloc, t.__wbindgen_realloc), a = s, r = t.element_getAttribute(this.ptr, n, a);
      return m(r);
    }
    hasAttribute(e) {
      var n = l(e, t.__wbindgen_malloc, t.__wbindgen_realloc), a = s, r = t.element_hasAttribute(this.ptr, n, a);
      return r !== 0;
    }
    setAttribute(e, n) {
      var a = l(e, t.__wbindgen_malloc, t.__wbindgen_realloc), r = s, o = l(n, t.__wbindgen_malloc, t.__wbindgen_realloc), c = s;
      t.element_setAttribute(this.ptr, a, r, o, c);
    }
    removeAttribute(e) {
      var n = l(e, t.__wbindgen_malloc, t.__wbindgen_realloc), a = s;
      t.element_removeAttribute(this.ptr, n, a);
    }
    prepend(e, n) {
      var a = l(e, t.__wbindgen_malloc, t.__wbindgen_realloc), r = s;
      t.element_prepend(this.ptr, a, r, b(n) ? 0 : i(n));
    }
    append(e, n) {
      var a = l(e, t.__wbindgen_malloc, t.__wbindgen_realloc), r = s;
      t.element_append(this.ptr, a, r, b(n) ? 0 : i(n));
    }
    setInnerContent(e, n) {
      var a = l(e, t.__wbindgen_malloc, t.__wbindgen_realloc), r = s;
      t.element_setInnerContent(this.ptr, a, r, b(n) ? 0 : i(n));
    }
    removeAndKeepContent() {
      t.element_removeAndKeepContent(this.ptr);
    }
    onEndTag(e) {
      t.element_onEndTag(this.ptr, i(e));
    }
  }, T = class _ {
    static __wrap(e) {
      let n = Object.create(_.prototype);
      return n.ptr = e, n;
    }
    __destroy_into_raw() {
      let e = this.ptr;
      return this.ptr = 0, e;
    }
    free() {
      let e = this.__destroy_into_raw();
      t.__wbg_endtag_free(e);
    }
    get name() {
      try {
        let a = t.__wbindgen_add_to_stack_pointer(-16);
        t.endtag_name(a, this.ptr);
        var e = f()[a / 4 + 0], n = f()[a / 4 + 1];
        return h(e, n);
      } finally {
        t.__wbindgen_add_to_stack_pointer(16), t.__wbindgen_free(e, n);
      }
    }
    set name(e) {
      var n = l(e, t.__wbindgen_malloc, t.__wbindgen_realloc), a = s;
      t.endtag_set_name(this.ptr, n, a);
    }
    before(e, n) {
      var a = l(e, t.__wbindgen_malloc, t.__wbindgen_realloc), r = s;
      t.endtag_before(this.ptr, a, r, b(n) ? 0 : i(n));
    }
    after(e, n) {
      var a = l(e, t.__wbindgen_malloc, t.__wbindgen_realloc), r = s;
      t.endtag_after(this.ptr, a, r, b(n) ? 0 : i(n));
    }
    remove() {
      t.endtag_remove(this.ptr);
    }
  }, $ = class _ {
    static __wrap(e) {
      let n = Object.create(_.prototype);
      return n.ptr = e, n;
    }
    __destroy_into_raw() {
      let e = this.ptr;
      return this.ptr = 0, e;
    }
    free() {
      let e = this.__destroy_into_raw();
      t.__wbg_htmlrewriter_free(e);
    }
    constructor(e, n) {
      try {
        var a = t.htmlrewriter_new(V(e), b(n) ? 0 : i(n));
        return _.__wrap(a);
      } finally {
        d[N++] = void 0;
      }
    }
    on(e, n) {
      var a = l(e, t.__wbindgen_malloc, t.__wbindgen_realloc), r = s;
      t.htmlrewriter_on(this.ptr, a, r, i(n));
    }
    onDocument(e) {
      t.htmlrewriter_onDocument(this.ptr, i(e));
    }
    write(e) {
      var n = z(e, t.__wbindgen_malloc), a = s;
      t.htmlrewriter_write(this.ptr, n, a);
    }
    end() {
      t.htmlrewriter_end(this.ptr);
    }
    get asyncifyStackPtr() {
      var e = t.htmlrewriter_asyncify_stack_ptr(this.ptr);
      return e;
    }
  }, M = class _ {
    static __wrap(e) {
      let n = Object.create(_.prototype);
      return n.ptr = e, n;
    }
    __destroy_into_raw() {
      let e = this.ptr;
      return this.ptr = 0, e;
    }
    free() {
      let e = this.__destroy_into_raw();
      t.__wbg_textchunk_free(e);
    }
    before(e, n) {
      var a = l(e, t.__wbindgen_malloc, t.__wbindgen_realloc), r = s;
      t.textchunk_before(this.ptr, a, r, b(n) ? 0 : i(n));
    }
    after(e, n) {
      var a = l(e, t.__wbindgen_malloc, t.__wbindgen_realloc), r = s;
      t.textchunk_after(this.ptr, a, r, b(n) ? 0 : i(n));
    }
    replace(e, n) {
      var a = l(e, t.__wbindgen_malloc, t.__wbindgen_realloc), r = s;
      t.textchunk_replace(this.ptr, a, r, b(n) ? 0 : i(n));
    }
    remove() {
      t.textchunk_remove(this.ptr);
    }
    get removed() {
      var e = t.textchunk_removed(this.ptr);
      return e !== 0;
    }
    get text() {
      try {
        let a = t.__wbindgen_add_to_stack_pointer(-16);
        t.textchunk_text(a, this.ptr);
        var e = f()[a / 4 + 0], n = f()[a / 4 + 1];
        return h(e, n);
      } finally {
        t.__wbindgen_add_to_stack_pointer(16), t.__wbindgen_free(e, n);
      }
    }
    get lastInTextNode() {
      var e = t.textchunk_last_in_text_node(this.ptr);
      return e !== 0;
    }
  };
  async function X(_, e) {
    if (typeof Response == "function" && _ instanceof Response) {
      if (typeof WebAssembly.instantiateStreaming == "function") try {
        return await WebAssembly.instantiateStreaming(_, e);
      } catch (a) {
        if (_.headers.get("Content-Type") != "application/wasm") console.warn("`WebAssembly.instantiateStreaming` failed because your server does not serve wasm with `application/wasm` MIME type. Falling back to `WebAssembly.instantiate` which is slower. Original error:\n", a);
        else throw a;
      }
      let n = await _.arrayBuffer();
      return await WebAssembly.instantiate(n, e);
    } else {
      let n = await WebAssembly.instantiate(_, e);
      return n instanceof WebAssembly.Instance ? {
        instance: n,
        module: _
      } : n;
    }
  }
  async function G(_) {
    typeof _ > "u" && (_ = new URL("html_rewriter_bg.wasm", import.meta.url));
    let e = {};
    e.wbg = {}, e.wbg.__wbindgen_object_drop_ref = function(r) {
      m(r);
    }, e.wbg.__wbg_html_cd9a0f328493678b = function(r) {
      var o = w(r).html;
      return b(o) ? 16777215 : o ? 1 : 0;
    }, e.wbg.__wbg_documentend_new = function(r) {
      var o = F.__wrap(r);
      return i(o);
    }, e.wbg.__wbg_awaitPromise_39a1101fd8518869 = function(r, o) {
      L(r, w(o));
    }, e.wbg.__wbindgen_string_new = function(r, o) {
      var c = h(r, o);
      return i(c);
    }, e.wbg.__wbindgen_object_clone_ref = function(r) {
      var o = w(r);
      return i(o);
    }, e.wbg.__wbg_element_c38470ed972aea27 = function(r) {
      var o = w(r).element;
      return b(o) ? 0 : i(o);
    }, e.wbg.__wbg_comments_ba86bc03331d9378 = function(r) {
      var o = w(r).comments;
      return b(o) ? 0 : i(o);
    }, e.wbg.__wbg_text_7800bf26cb443911 = function(r) {
      var o = w(r).text;
      return b(o) ? 0 : i(o);
    }, e.wbg.__wbg_doctype_ac58c0964a59b61b = function(r) {
      var o = w(r).doctype;
      return b(o) ? 0 : i(o);
    }, e.wbg.__wbg_comments_94d876f6c0502e82 = function(r) {
      var o = w(r).comments;
      return b(o) ? 0 : i(o);
    }, e.wbg.__wbg_text_4606a16c30e4ae91 = function(r) {
      var o = w(r).text;
      return b(o) ? 0 : i(o);
    }, e.wbg.__wbg_end_34efb9402eac8a4e = function(r) {
      var o = w(r).end;
      return b(o) ? 0 : i(o);
    }, e.wbg.__wbg_element_new = function(r) {
      var o = W.__wrap(r);
      return i(o);
    }, e.wbg.__wbg_comment_new = function(r) {
      var o = O.__wrap(r);
      return i(o);
    }, e.wbg.__wbg_textchunk_new = function(r) {
      var o = M.__wrap(r);
      return i(o);
    }, e.wbg.__wbg_doctype_new = function(r) {
      var o = S.__wrap(r);
      return i(o);
    }, e.wbg.__wbg_enableEsiTags_de6b91cc61a25874 = function(r) {
      var o = w(r).enableEsiTags;
      return b(o) ? 16777215 : o ? 1 : 0;
    }, e.wbg.__wbg_endtag_new = function(r) {
      var o = T.__wrap(r);
      return i(o);
    }, e.wbg.__wbg_String_60c4ba333b5ca1c6 = function(r, o) {
      var c = String(w(o)), u = l(c, t.__wbindgen_malloc, t.__wbindgen_realloc), g = s;
      f()[r / 4 + 1] = g, f()[r / 4 + 0] = u;
    }, e.wbg.__wbg_new_4fee7e2900033464 = function() {
      var r = new Array();
      return i(r);
    }, e.wbg.__wbg_push_ba9b5e3c25cff8f9 = function(r, o) {
      var c = w(r).push(w(o));
      return c;
    }, e.wbg.__wbg_call_6c4ea719458624eb = function() {
      return Q(function(r, o, c) {
        var u = w(r).call(w(o), w(c));
        return i(u);
      }, arguments);
    }, e.wbg.__wbg_new_917809a3e20a4b00 = function(r, o) {
      var c = new TypeError(h(r, o));
      return i(c);
    }, e.wbg.__wbg_instanceof_Promise_c6535fc791fcc4d2 = function(r) {
      var o = w(r) instanceof Promise;
      return o;
    }, e.wbg.__wbg_buffer_89a8560ab6a3d9c6 = function(r) {
      var o = w(r).buffer;
      return i(o);
    }, e.wbg.__wbg_newwithbyteoffsetandlength_e45d8b33c02dc3b5 = function(r, o, c) {
      var u = new Uint8Array(w(r), o >>> 0, c >>> 0);
      return i(u);
    }, e.wbg.__wbg_new_bd2e1d010adb8a1a = function(r) {
      var o = new Uint8Array(w(r));
      return i(o);
    }, e.wbg.__wbindgen_debug_string = function(r, o) {
      var c = U(w(o)), u = l(c, t.__wbindgen_malloc, t.__wbindgen_realloc), g = s;
      f()[r / 4 + 1] = g, f()[r / 4 + 0] = u;
    }, e.wbg.__wbindgen_throw = function(r, o) {
      throw new Error(h(r, o));
    }, e.wbg.__wbindgen_rethrow = function(r) {
      throw m(r);
    }, e.wbg.__wbindgen_memory = function() {
      var r = t.memory;
      return i(r);
    }, (typeof _ == "string" || typeof Request == "function" && _ instanceof Request || typeof URL == "function" && _ instanceof URL) && (_ = fetch(_));
    let { instance: n, module: a } = await X(await _, e);
    return t = n.exports, G.__wbindgen_wasm_module = a, t;
  }
  var Y = G;
  return {
    Comment: O,
    Doctype: S,
    DocumentEnd: F,
    Element: W,
    EndTag: T,
    HTMLRewriter: $,
    TextChunk: M,
    init: Y,
    setWasmExports: B,
    wrap: P
  };
}
var init_htmlrewriter = __esm({
  "vendor/htmlrewriter.js"() {
  }
});

// workers/rewriter.ts
var rewriter_exports = {};
__export(rewriter_exports, {
  makeRewriter: () => makeRewriter
});
async function take() {
  let found = instances.find(({ users }) => users === 0);
  if (found === void 0 && instances.length + starting < INSTANCES_MAX) {
    starting += 1;
    found = await Instance.start(compiled).finally(() => starting -= 1);
    instances.push(found);
  }
  while (found === void 0) {
    if (instances.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    else found = instances.reduce((best, other) => other.users < best.users ? other : best);
  }
  found.users += 1;
  return found;
}
function release(instance) {
  instance.users -= 1;
  if (instance.users === 0 && instances.filter(({ users }) => users === 0).length > KEPT_IDLE) instances.splice(instances.indexOf(instance), 1);
}
async function makeRewriter(host3) {
  compiled = await WebAssembly.compile(await host3.readFile(`${import.meta.dirname}/htmlrewriter.wasm`));
  judge = await Instance.start(compiled);
  return HTMLRewriter;
}
function makeChainable(prototype) {
  for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    if (!CHANGES.has(name)) continue;
    Object.defineProperty(prototype, name, {
      configurable: true,
      writable: true,
      value(...args) {
        value.apply(this, args);
        return this;
      }
    });
  }
}
function bytes(chunk) {
  if (chunk instanceof Uint8Array) return chunk;
  if (typeof chunk === "string") return new TextEncoder().encode(chunk);
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  throw new TypeError("HTMLRewriter reads bytes");
}
var INSTANCES_MAX, KEPT_IDLE, CHANGES, RealResponse6, RealHeaders3, Instance, compiled, judge, instances, starting, Work, HTMLRewriter;
var init_rewriter = __esm({
  "workers/rewriter.ts"() {
    init_htmlrewriter();
    INSTANCES_MAX = 64;
    KEPT_IDLE = 4;
    CHANGES = new Set("before after prepend append replace remove removeAndKeepContent setInnerContent setAttribute removeAttribute".split(" "));
    RealResponse6 = Response;
    RealHeaders3 = Headers;
    Instance = class _Instance {
      parts;
      wasm;
      users;
      #turn;
      constructor(parts2, wasm) {
        this.parts = parts2;
        this.wasm = wasm;
        this.users = 0;
        this.#turn = Promise.resolve();
      }
      static async start(module2) {
        const parts2 = make();
        const wasm = await parts2.init(module2);
        parts2.setWasmExports(wasm);
        for (const part of [
          parts2.Comment,
          parts2.DocumentEnd,
          parts2.Element,
          parts2.EndTag,
          parts2.TextChunk
        ]) makeChainable(part.prototype);
        return new _Instance(parts2, wasm);
      }
      engine(sink) {
        return new this.parts.HTMLRewriter(sink, {
          enableEsiTags: false
        });
      }
      write(engine, chunk) {
        return this.#next(() => {
          const data = this.wasm.__wbindgen_malloc(chunk.length);
          new Uint8Array(this.wasm.memory.buffer).set(chunk, data);
          return this.parts.wrap(engine, this.wasm.htmlrewriter_write, engine.ptr, data, chunk.length);
        });
      }
      end(engine) {
        return this.#next(() => this.parts.wrap(engine, this.wasm.htmlrewriter_end, engine.ptr));
      }
      free(engine) {
        return this.#next(() => engine.free());
      }
      #next(work) {
        const done = this.#turn.then(work);
        this.#turn = done.catch(() => {
        });
        return done;
      }
    };
    instances = [];
    starting = 0;
    Work = class {
      instance;
      reader;
      #produced;
      #engine;
      #over;
      constructor(instance, reader, prepare5) {
        this.instance = instance;
        this.reader = reader;
        this.#produced = [];
        this.#over = false;
        this.#engine = instance.engine((chunk) => chunk.length > 0 && this.#produced.push(chunk.slice()));
        prepare5(this.#engine);
      }
      /** Read until there is something to show. Returns whether there is more to come. */
      async pull(controller) {
        let more = true;
        while (more && !this.#over && this.#produced.length === 0) {
          const { done, value } = await this.reader.read();
          if (this.#over) return false;
          await (done ? this.instance.end(this.#engine) : this.instance.write(this.#engine, bytes(value)));
          more = !done;
        }
        if (this.#over) return false;
        for (const chunk of this.#produced.splice(0)) controller.enqueue(chunk);
        return more;
      }
      async close() {
        if (this.#over) return;
        this.#over = true;
        await this.instance.free(this.#engine);
        release(this.instance);
      }
    };
    HTMLRewriter = class {
      #elements = [];
      #documents = [];
      on(selector, handlers) {
        const probe = judge.engine(() => {
        });
        try {
          probe.on(selector, handlers);
        } finally {
          probe.free();
        }
        this.#elements.push([
          selector,
          handlers
        ]);
        return this;
      }
      onDocument(handlers) {
        this.#documents.push(handlers);
        return this;
      }
      transform(response) {
        if (response.body === null) return new RealResponse6(null, response);
        const headers2 = new RealHeaders3(response.headers);
        headers2.delete("content-length");
        return new RealResponse6(this.#rewritten(response.body), {
          status: response.status,
          statusText: response.statusText,
          headers: headers2
        });
      }
      // A failing handler ends the body with its error, and the source is told.
      #rewritten(source2) {
        const reader = source2.getReader();
        let work;
        return new ReadableStream({
          start: async () => {
            work = new Work(await take(), reader, (engine) => {
              for (const [selector, handlers] of this.#elements) engine.on(selector, handlers);
              for (const handlers of this.#documents) engine.onDocument(handlers);
            });
          },
          async pull(controller) {
            try {
              if (await work.pull(controller)) return;
              await work.close();
              controller.close();
            } catch (error) {
              controller.error(error);
              await work.close();
              await reader.cancel(error).catch(() => {
              });
            }
          },
          async cancel(reason) {
            await Promise.all([
              work?.close(),
              reader.cancel(reason)
            ]);
          }
        });
      }
    };
  }
});

// workers/extras.ts
var extras_exports = {};
__export(extras_exports, {
  installExtras: () => installExtras
});
function bytes2(chunk) {
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  throw new TypeError("This TransformStream is being used as a byte stream, but received an object of non-ArrayBuffer/ArrayBufferView type on its writable side.");
}
function timingSafeEqual(left, right) {
  const [a, b] = [
    bytes2(left),
    bytes2(right)
  ];
  if (a.length !== b.length) throw new TypeError("Input buffers must have the same byte length.");
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i] ^ b[i];
  return difference === 0;
}
function digestStream(createHash) {
  return class DigestStream extends WritableStream {
    digest;
    bytesWritten = 0;
    constructor(algorithm) {
      const name = ALGORITHMS[(typeof algorithm === "string" ? algorithm : algorithm.name).toUpperCase()];
      if (name === void 0) throw new DOMException("Unrecognized or unimplemented digest algorithm requested.", "NotSupportedError");
      const { promise, resolve, reject } = Promise.withResolvers();
      const hash = createHash(name);
      const count = (size) => void (this.bytesWritten += size);
      super({
        write(chunk) {
          const part = typeof chunk === "string" ? new TextEncoder().encode(chunk) : bytes2(chunk);
          hash.update(part);
          count(part.length);
        },
        close: () => resolve(new Uint8Array(hash.digest()).buffer),
        abort: reject
      });
      promise.catch(() => {
      });
      this.digest = promise;
    }
  };
}
async function installExtras(source2) {
  Object.defineProperty(SubtleCrypto.prototype, "timingSafeEqual", {
    value: timingSafeEqual,
    configurable: true,
    writable: true
  });
  Object.assign(globalThis, {
    IdentityTransformStream,
    FixedLengthStream,
    scheduler: {
      wait
    }
  });
  if (source2.includes("DigestStream") || MD5.test(source2)) {
    const { createHash } = await import("node:crypto");
    Object.defineProperty(Crypto.prototype, "DigestStream", {
      value: digestStream(createHash),
      configurable: true,
      writable: true
    });
    Object.defineProperty(SubtleCrypto.prototype, "digest", {
      value: digesting(createHash),
      configurable: true,
      writable: true
    });
  }
}
function digesting(createHash) {
  const real = SubtleCrypto.prototype.digest;
  return async function digest(algorithm, data) {
    const name = typeof algorithm === "string" ? algorithm : algorithm?.name;
    if (String(name).toUpperCase() !== "MD5") return await real.call(this, algorithm, data);
    return new Uint8Array(createHash("md5").update(bytes2(data)).digest()).buffer;
  };
}
function wait(ms, options = {}) {
  return new Promise((resolve, reject) => {
    const { signal } = options;
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, {
      once: true
    });
  });
}
var IdentityTransformStream, FixedLengthStream, ALGORITHMS, MD5;
var init_extras = __esm({
  "workers/extras.ts"() {
    IdentityTransformStream = class extends TransformStream {
      constructor() {
        super({
          transform(chunk, controller) {
            controller.enqueue(bytes2(chunk));
          }
        });
      }
    };
    FixedLengthStream = class extends TransformStream {
      constructor(length) {
        let left = Number(length);
        if (!(left >= 0)) throw new TypeError("FixedLengthStream requires a non-negative length.");
        super({
          transform(chunk, controller) {
            const part = bytes2(chunk);
            left -= part.length;
            if (left < 0) throw new TypeError("Attempt to write too many bytes through a FixedLengthStream.");
            controller.enqueue(part);
          },
          flush() {
            if (left > 0) throw new TypeError("FixedLengthStream did not see all expected bytes before close().");
          }
        });
      }
    };
    ALGORITHMS = {
      "MD5": "md5",
      "SHA-1": "sha1",
      "SHA-256": "sha256",
      "SHA-384": "sha384",
      "SHA-512": "sha512"
    };
    MD5 = /\bMD5\b/i;
  }
});

// workers/load.ts
var load_exports2 = {};
__export(load_exports2, {
  prepare: () => prepare3
});
async function prepare3(given) {
  const { host: host3, settings: settings2, source: source2, services } = given;
  const named = (pattern) => pattern.test(source2);
  const caches = named(/\bcaches\b/) ? await Promise.resolve().then(() => (init_cache(), cache_exports)) : void 0;
  const sockets = named(/\bWebSocketPair\b|\bwebSocket\b|["'`]websocket["'`]/) ? await Promise.resolve().then(() => (init_websocket(), websocket_exports)) : void 0;
  const events = named(/\baddEventListener\b/) ? await Promise.resolve().then(() => (init_events(), events_exports)) : void 0;
  const rewriter = named(/\bHTMLRewriter\b/) ? await Promise.resolve().then(() => (init_rewriter(), rewriter_exports)) : void 0;
  const extras3 = named(EXTRAS) ? await Promise.resolve().then(() => (init_extras(), extras_exports)) : void 0;
  const HTMLRewriter2 = await rewriter?.makeRewriter(host3);
  await extras3?.installExtras(source2);
  return async (load) => {
    const env = bindings(settings2, services);
    Object.defineProperty(Navigator.prototype, "userAgent", {
      configurable: true,
      enumerable: true,
      get: () => "Cloudflare-Workers"
    });
    installIncoming(settings2);
    installModule(env);
    if (HTMLRewriter2 !== void 0) Object.assign(globalThis, {
      HTMLRewriter: HTMLRewriter2
    });
    if (caches !== void 0) Object.assign(globalThis, caches.makeCaches());
    const finish = sockets?.installWebSockets(host3);
    const listeners = events?.listenForEvents(env);
    const entry = entryOf((await load()).default);
    const fetch2 = entry?.fetch ?? (listeners?.handles("fetch") ? listeners.fetch : void 0);
    const scheduled = entry?.scheduled ?? (listeners?.handles("scheduled") ? listeners.scheduled : void 0);
    if (fetch2 === void 0 && scheduled === void 0) {
      throw new TypeError("the program exports no handler: a Worker has `export default { fetch(request, env, ctx) { ... } }` or `addEventListener('fetch', ...)`");
    }
    let program = handling(given, env, fetch2 ?? noFetch);
    if (finish !== void 0) program = finish(program);
    return controlled(program, settings2.control, scheduled === void 0 ? void 0 : async (event) => {
      const context = new ScheduledContext();
      if (entry?.scheduled === void 0) listeners.scheduled(event, context);
      else await entry.scheduled({
        ...event,
        type: "scheduled",
        noRetry() {
        }
      }, env, context);
      await ScheduledContext.settled(context);
    });
  };
}
function noFetch() {
  throw new TypeError("Handler does not export a fetch() function.");
}
function entryOf(exported) {
  if (typeof exported !== "function") {
    const entry = exported;
    return {
      fetch: typeof entry?.fetch === "function" ? (request, env, context) => entry.fetch(request, env, context) : void 0,
      scheduled: typeof entry?.scheduled === "function" ? (event, env, context) => entry.scheduled(event, env, context) : void 0
    };
  }
  const Class = exported;
  return {
    fetch: typeof Class.prototype?.fetch === "function" ? (request, env, context) => new Class(context, env).fetch(request) : void 0,
    scheduled: typeof Class.prototype?.scheduled === "function" ? (event, env, context) => new Class(context, env).scheduled(event) : void 0
  };
}
function handling({ services, source: source2 }, env, fetch2) {
  const { geo, assets } = services;
  const passes = source2.includes("passThroughOnException") && assets !== void 0;
  function serve(request, place) {
    arrived(request, place);
    const context = new ExecutionContext(request);
    return passes ? withOrigin(request, context) : fetch2(request, env, context);
  }
  async function withOrigin(request, context) {
    try {
      return await fetch2(request, env, context);
    } catch (error) {
      if (!ExecutionContext.passes(context) || ![
        "GET",
        "HEAD"
      ].includes(request.method)) throw error;
      watch(Promise.reject(error));
      return await assets.fetch(request.url, {
        method: request.method,
        headers: request.headers
      });
    }
  }
  if (geo === void 0) return (request) => serve(request, null);
  return (request) => {
    const place = geo.locate(request.headers.get("x-real-ip") ?? "");
    return place instanceof Promise ? place.then((found) => serve(request, found)) : serve(request, place);
  };
}
function installModule(env) {
  class WorkerEntrypoint {
    ctx;
    env;
    constructor(ctx, env2) {
      this.ctx = ctx;
      this.env = env2;
    }
  }
  class DurableObject extends WorkerEntrypoint {
  }
  class WorkflowEntrypoint extends WorkerEntrypoint {
  }
  class RpcTarget {
  }
  const value = Object.freeze({
    env,
    waitUntil: (promise) => void watch(promise),
    WorkerEntrypoint,
    DurableObject,
    WorkflowEntrypoint,
    RpcTarget
  });
  Object.defineProperty(globalThis, Symbol.for("nearhop.workers"), {
    value,
    configurable: true
  });
}
var EXTRAS;
var init_load2 = __esm({
  "workers/load.ts"() {
    init_control();
    init_request();
    init_bindings();
    init_context();
    init_incoming();
    EXTRAS = /\btimingSafeEqual\b|\bDigestStream\b|\bFixedLengthStream\b|\bIdentityTransformStream\b|\bscheduler\b|["'`]md5["'`]/i;
  }
});

// geo.ts
var geo_exports = {};
__export(geo_exports, {
  connectGeo: () => connectGeo
});
function connectGeo(host3, path) {
  const client = host3.createHttpClient({
    proxy: {
      transport: "unix",
      path
    }
  });
  const realFetch2 = globalThis.fetch;
  const known2 = /* @__PURE__ */ new Map();
  let complainedAt = -SILENT_MS;
  async function ask(ip) {
    try {
      const signal = AbortSignal.timeout(PATIENCE_MS);
      const reply = await realFetch2(`http://geo/?ip=${encodeURIComponent(ip)}`, {
        client,
        signal
      });
      if (!reply.ok) throw new Error(`status ${reply.status}`);
      const place = await reply.json();
      if (known2.size >= REMEMBERED) known2.delete(known2.keys().next().value);
      known2.set(ip, place);
      return place;
    } catch (error) {
      if (performance.now() - complainedAt >= SILENT_MS) {
        complainedAt = performance.now();
        report.error("the client's place is unknown", error);
      }
      return null;
    }
  }
  return {
    locate: (ip) => known2.get(ip) ?? ask(ip)
  };
}
var REMEMBERED, PATIENCE_MS, SILENT_MS;
var init_geo = __esm({
  "geo.ts"() {
    init_report();
    REMEMBERED = 512;
    PATIENCE_MS = 250;
    SILENT_MS = 5e3;
  }
});

// assets.ts
var assets_exports = {};
__export(assets_exports, {
  connectAssets: () => connectAssets
});
function connectAssets(host3, settings2) {
  const client = host3.createHttpClient({
    proxy: {
      transport: "unix",
      path: settings2.sockets.assets
    }
  });
  const digest = settings2.manifest.assets.digest;
  const realFetch2 = globalThis.fetch;
  const RealRequest4 = Request;
  return {
    async fetch(input, init) {
      const request = input instanceof RealRequest4 && init === void 0 ? input : new globalThis.Request(input, init);
      if (request.method !== "GET" && request.method !== "HEAD") return new Response(null, {
        status: 405,
        headers: {
          allow: "GET, HEAD"
        }
      });
      const { pathname, search } = new URL(request.url);
      const headers2 = new Headers(request.headers);
      headers2.set("x-nearhop-assets", digest);
      headers2.delete("host");
      headers2.set("accept-encoding", "identity");
      const reply = await realFetch2(`http://assets${pathname}${search}`, {
        client,
        method: request.method,
        headers: headers2,
        redirect: "manual"
      });
      const answer2 = new Response(reply.body, reply);
      for (const name of [
        ...answer2.headers.keys()
      ]) if (name.startsWith("x-nearhop-")) answer2.headers.delete(name);
      return answer2;
    }
  };
}
var init_assets = __esm({
  "assets.ts"() {
  }
});

// rehearsal.ts
var rehearsal_exports = {};
__export(rehearsal_exports, {
  rehearse: () => rehearse
});
function remember() {
  return shapes().map((it) => [
    it,
    new Map(Reflect.ownKeys(it).map((name) => [
      name,
      Object.getOwnPropertyDescriptor(it, name)
    ]))
  ]);
}
function putBack(shape) {
  for (const [it, were] of shape) {
    for (const name of Reflect.ownKeys(it)) if (!were.has(name)) Reflect.deleteProperty(it, name);
    for (const [name, was] of were) if (!same(was, Object.getOwnPropertyDescriptor(it, name))) Object.defineProperty(it, name, was);
  }
}
function same(was, is) {
  return is !== void 0 && was.value === is.value && was.get === is.get && was.set === is.set && was.enumerable === is.enumerable;
}
async function rehearse({ prepare: prepare5, module: module2, play: play2 }) {
  const shape = remember();
  const start2 = await prepare5(parse(new TextDecoder().decode(new TextEncoder().encode(JSON.stringify(HEADER)))), SOURCE, true);
  const url2 = module2(SOURCE);
  const handler2 = await start2(url2);
  URL.revokeObjectURL(url2);
  const asked = new Promise((resolve) => play2(async (request, info) => {
    const answer2 = await handler2(request, info);
    setTimeout(resolve);
    return answer2;
  }));
  await asked;
  putBack(shape);
}
var SOURCE, HEADER, shapes;
var init_rehearsal = __esm({
  "rehearsal.ts"() {
    init_settings();
    SOURCE = `
const out = globalThis.fetch;
export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    const headers = { "content-type": "text/plain", "x-country": request.headers.get("cf-ipcountry") };
    return new Response(pathname + request.method + (env.NAME ?? typeof out), { status: 503, headers });
  },
};`;
    HEADER = {
      dialect: "workers",
      function: "f",
      version: 1,
      digest: "0".repeat(64),
      node: "n",
      region: "r",
      created_at: 0,
      control: "-",
      env: {
        NAME: ""
      },
      manifest: {
        version_binding: ""
      },
      sockets: {
        egress: "-",
        geo: null,
        assets: null
      },
      limits: {
        subrequests: 1,
        request_body_bytes: 1
      }
    };
    shapes = () => [
      globalThis,
      Request.prototype,
      Headers.prototype,
      Response.prototype,
      Navigator.prototype
    ];
  }
});

// main.ts
init_report();
init_body();
init_request();

// egress.ts
var REASON = "x-nearhop-reason";
function connectEgress(host3, path) {
  if (path === null) return null;
  const realFetch2 = globalThis.fetch;
  let made;
  const client = () => made ??= host3.createHttpClient({
    proxy: {
      transport: "unix",
      path
    }
  });
  return {
    get client() {
      return client();
    },
    async fetch(input, init) {
      const answer2 = await realFetch2(input, {
        ...init,
        client: client()
      });
      const reason = answer2.headers.get(REASON);
      if (answer2.status < 400 || reason === null || !reason.startsWith("egress_")) return answer2;
      const { message } = await answer2.json();
      throw new TypeError(`${message} (${reason})`);
    }
  };
}

// doors.ts
var AVAILABLE = /* @__PURE__ */ new Set([
  "assert",
  "assert/strict",
  "async_hooks",
  "buffer",
  "crypto",
  "diagnostics_channel",
  "events",
  "path",
  "path/posix",
  "path/win32",
  "perf_hooks",
  "punycode",
  "querystring",
  "stream",
  "stream/consumers",
  "stream/promises",
  "stream/web",
  "string_decoder",
  "timers",
  "timers/promises",
  "url",
  "util",
  "util/types",
  "zlib"
]);
var REMOVED = [
  "Deno",
  "Worker",
  "caches",
  "Cache",
  "CacheStorage",
  "localStorage",
  "sessionStorage",
  "Storage",
  "prompt",
  "alert",
  "confirm",
  "close",
  "GPU",
  "GPUAdapter",
  "name",
  "closed"
];
async function preload(source2) {
  const named = new Set([
    ...source2.matchAll(/["'`]node:([\w/]+)["'`]/g)
  ].map((match) => match[1]));
  for (const name of named) {
    if (AVAILABLE.has(name)) await import(`node:${name}`);
  }
}
function safeProcess(env) {
  const safe = {
    env,
    argv: [],
    version: "v0.0.0",
    versions: {},
    platform: "linux",
    arch: "x64",
    browser: true,
    cwd: () => "/",
    nextTick: (callback, ...args) => queueMicrotask(() => callback(...args)),
    on() {
      return safe;
    },
    emitWarning() {
    }
  };
  Object.defineProperty(globalThis, "process", {
    value: safe,
    configurable: true,
    writable: true
  });
}
function closeDoors(dialectHasDeno) {
  for (const name of REMOVED) delete globalThis[name];
  delete Navigator.prototype.gpu;
  if (!dialectHasDeno) Object.defineProperty(globalThis, "Deno", {
    value: void 0,
    configurable: false,
    writable: false
  });
}

// answer.ts
init_body();
init_report();

// subrequests.ts
init_report();
var RealError2 = Error;
var now = performance.now.bind(performance);
var TooManySubrequests = class extends RealError2 {
  name = "Error";
};
function countSubrequests(limit, store2) {
  let outside = {
    left: limit,
    told: false
  };
  let until = 0;
  function shared() {
    if (now() >= until) {
      until = now() + 1e3;
      outside = {
        left: limit,
        told: false
      };
    }
    return outside;
  }
  return {
    spend() {
      if (limit === Infinity) return;
      const budget2 = store2?.get() ?? shared();
      if (budget2.left-- > 0) return;
      if (!budget2.told) report.limit("exceeded_subrequests", `more than ${limit} outgoing requests`);
      budget2.told = true;
      throw new TooManySubrequests("Too many subrequests.");
    },
    run: store2 === void 0 ? (handle) => handle() : (handle) => store2.run({
      left: limit,
      told: false
    }, handle)
  };
}

// answer.ts
var RealResponse = Response;
function answering(program) {
  return (request, info) => {
    try {
      const result = program(request, info);
      return result instanceof RealResponse ? result : settle(result, request);
    } catch (error) {
      return failure(error, request);
    }
  };
}
async function settle(result, request) {
  try {
    const response = await result;
    if (exceededBody(request)) return failure(null, request);
    if (response instanceof RealResponse) return response;
    throw new TypeError(`the handler returned ${response === null ? "null" : typeof response} in place of a Response`);
  } catch (error) {
    return failure(error, request);
  }
}
var MESSAGES = {
  exception: "The function threw an exception.",
  exceeded_subrequests: "The function sent too many requests.",
  exceeded_body: "The request's body is too large."
};
function failure(error, request) {
  const tooLarge = exceededBody(request);
  const reason = tooLarge ? "exceeded_body" : error instanceof TooManySubrequests ? "exceeded_subrequests" : "exception";
  if (!tooLarge) report.error(`${request.method} ${new URL(request.url).pathname}`, error, reason === "exception" ? reason : void 0);
  const message = MESSAGES[reason];
  const json = request.headers.get("accept")?.includes("application/json");
  const body = json ? JSON.stringify({
    reason,
    message
  }) : `${reason}: ${message}`;
  const headers2 = {
    "content-type": json ? "application/json" : "text/plain; charset=utf-8",
    "x-nearhop-reason": reason
  };
  return new RealResponse(body + "\n", {
    status: tooLarge ? 413 : 500,
    headers: headers2
  });
}

// main.ts
init_settings();

// needs.ts
var GEO = /\bcf\b|\bgeo\b|geolocation|x-vercel-ip-|cf-(?:ip|region|metro|postal|timezone)/;
var METHOD = /(?<![.\w$])fetch\s*\([^()]*\)\s*\{/g;
var FETCH = /(?<![.\w$])fetch\s*[(,;)\]}.]|\b(?:globalThis|self|window)\s*(?:\.\s*|\[.)fetch\b|x-middleware-rewrite|\bvercelJson\b/;
function look(source2, settings2) {
  const foreign = settings2.dialect !== "deno";
  return {
    geo: foreign && settings2.sockets.geo !== null && GEO.test(source2),
    context: settings2.subrequests !== Infinity && FETCH.test(source2.replaceAll(METHOD, "")),
    assets: settings2.sockets.assets !== null && settings2.manifest.assets !== null
  };
}

// store.ts
async function makeStore(host3) {
  const shown = host3;
  const { AsyncVariable, setAsyncContext } = shown[shown.internal]?.core ?? {};
  if (AsyncVariable === void 0 || setAsyncContext === void 0) {
    const { AsyncLocalStorage } = await import("node:async_hooks");
    const storage = new AsyncLocalStorage();
    return {
      get: () => storage.getStore(),
      run: (value, work) => storage.run(value, work)
    };
  }
  const variable = new AsyncVariable();
  return {
    get: () => variable.get(),
    run(value, work) {
      const before = variable.enter(value);
      try {
        return work();
      } finally {
        setAsyncContext(before);
      }
    }
  };
}

// main.ts
var host2 = Deno;
var [socket, waits] = host2.args;
var PIECE_BYTES = 64 << 10;
var LINE_END = 10;
var DATA_BYTES = 64 << 10;
var decoder = new TextDecoder();
var play = (_handler) => {
};
var begin = play;
var started = new Promise((resolve) => begin = resolve);
var hold = (request, info) => started.then((program) => program(request, info));
var handler = hold;
async function giveUp(path) {
  await host2.permissions.revoke({
    name: "read",
    path
  });
  await host2.permissions.revoke({
    name: "write",
    path
  });
}
function read2() {
  let bytes3 = new Uint8Array(PIECE_BYTES), filled = 0, end = -1;
  let settings2;
  for (let whole = Infinity; filled < whole; ) {
    if (filled === bytes3.length) {
      const more = new Uint8Array(2 * filled);
      more.set(bytes3);
      bytes3 = more;
    }
    const room = bytes3.subarray(filled);
    const size = host2.stdin.readSync(room);
    if (size === null) break;
    filled += size;
    if (settings2 !== void 0 || (end = bytes3.subarray(0, filled).indexOf(LINE_END)) < 0) continue;
    settings2 = parse(decoder.decode(bytes3.subarray(0, end)));
    whole = end + 1 + settings2.sourceBytes;
  }
  return {
    settings: settings2 ?? parse(decoder.decode(bytes3.subarray(0, filled))),
    source: decoder.decode(bytes3.subarray(end + 1, filled))
  };
}
var dialects = {
  deno: () => Promise.resolve().then(() => (init_deno(), deno_exports)),
  vercel: () => Promise.resolve().then(() => (init_load(), load_exports)),
  workers: () => Promise.resolve().then(() => (init_load2(), load_exports2))
};
async function prepare4(settings2, source2, rehearses) {
  const needs = look(source2, settings2);
  const dialect = await dialects[settings2.dialect]();
  const services = {};
  if (needs.geo) services.geo = (await Promise.resolve().then(() => (init_geo(), geo_exports))).connectGeo(host2, settings2.sockets.geo);
  if (needs.assets) services.assets = (await Promise.resolve().then(() => (init_assets(), assets_exports))).connectAssets(host2, settings2);
  const start2 = await dialect.prepare({
    host: host2,
    settings: settings2,
    source: source2,
    services
  });
  const store2 = needs.context ? await makeStore(host2) : void 0;
  const subrequests = countSubrequests(settings2.subrequests, store2);
  if (!rehearses) await giveUp(import.meta.dirname);
  boundBodies(settings2.requestBody, isInner);
  adaptRequests(subrequests.spend, connectEgress(host2, settings2.sockets.egress));
  await preload(source2);
  safeProcess(settings2.env);
  closeDoors(rehearses || settings2.dialect === "deno");
  return async (url2) => {
    const program = await start2(() => import(url2));
    return answering(store2 === void 0 ? program : (request, info) => subrequests.run(() => program(request, info)));
  };
}
function module(source2) {
  const bytes3 = new TextEncoder().encode(source2);
  if (bytes3.length <= DATA_BYTES) return "data:text/javascript;base64," + bytes3.toBase64();
  return URL.createObjectURL(new Blob([
    bytes3
  ], {
    type: "text/javascript"
  }));
}
installConsole(host2);
if (waits) {
  const staged = new Promise((resolve) => play = resolve);
  handler = (request, info) => {
    handler = hold;
    return staged.then((rehearsed) => rehearsed(request, info));
  };
}
host2.serve({
  path: socket,
  onListen() {
  }
}, (request, info) => handler(request, info));
await giveUp(socket);
report.listening();
if (waits) {
  const { rehearse: rehearse2 } = await Promise.resolve().then(() => (init_rehearsal(), rehearsal_exports));
  await rehearse2({
    prepare: prepare4,
    module,
    play
  });
}
var { settings, source } = read2();
var start = await prepare4(settings, source, false);
globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  report.error("unhandled rejection", event.reason);
});
globalThis.addEventListener("error", (event) => {
  event.preventDefault();
  report.error("uncaught exception", event.error);
});
var main = settings.dialect === "deno" && source.includes("import.meta.main") ? "import.meta.main = true; " : "";
var url = module(main + source);
try {
  begin(handler = await start(url));
  URL.revokeObjectURL(url);
  report.ready();
} catch (error) {
  report.failed(error, url);
}
