// WebSocketPair: two ends of one channel in memory. The end that a response carries is joined to the client's connection. And the other way
// round: fetch() with `Upgrade: websocket` opens the engine's own WebSocket, which goes out where fetch() goes out, and answers with an end.

import type { Program } from "../answer.ts";

type Message = string | ArrayBuffer;

const HELD_MAX = 1000; // messages before accept(); one that never accepts must not fill the memory

class End extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;
  readonly READY_STATE_OPEN = 1;
  readonly url = null;
  readonly protocol = "";
  readonly extensions = "";
  readyState = End.OPEN;
  #peer!: End;
  #accepted = false;
  #held: Event[] = [];

  static pair(): [End, End] {
    const [one, other] = [new End(), new End()];
    one.#peer = other;
    other.#peer = one;
    return [one, other];
  }

  accept(): void {
    if (this.#accepted) return;
    this.#accepted = true;
    for (const event of this.#held.splice(0)) queueMicrotask(() => this.dispatchEvent(event));
  }

  send(data: string | ArrayBuffer | ArrayBufferView): void {
    if (!this.#accepted) throw new TypeError("You must call accept() on this WebSocket before sending messages.");
    if (this.readyState !== End.OPEN) throw new TypeError("Can't call WebSocket send() after close().");
    this.#peer.#deliver(new MessageEvent("message", { data: copied(data) }));
  }

  close(code?: number, reason = ""): void {
    if (code !== undefined && (code < 1000 || code >= 5000 || code === 1004 || code === 1005 || code === 1006 || code === 1015)) {
      throw new TypeError("Invalid WebSocket close code.");
    }
    if (this.readyState >= End.CLOSING) return;
    this.readyState = this.#peer.readyState >= End.CLOSING ? End.CLOSED : End.CLOSING;
    this.#peer.#deliver(new CloseEvent("close", { code: code ?? 1005, reason, wasClean: true }));
  }

  serializeAttachment(): void {
    throw new TypeError("attachments belong to Durable Objects, which are not available");
  }

  #deliver(event: Event): void {
    if (event.type === "close") this.readyState = this.readyState === End.CLOSING ? End.CLOSED : End.CLOSING;
    if (!this.#accepted) {
      if (this.#held.length >= HELD_MAX) throw new TypeError("too many messages wait for accept()");
      this.#held.push(event);
    } else queueMicrotask(() => this.dispatchEvent(event));
  }

  /** Join this end to a real connection: what its peer sends goes out, what comes in reaches its peer. */
  static join(end: End, socket: WebSocket): void {
    socket.binaryType = "arraybuffer";
    end.addEventListener("message", (event) => socket.readyState === WebSocket.OPEN && socket.send((event as MessageEvent).data));
    end.addEventListener("close", (event) => {
      const { code, reason } = event as CloseEvent;
      // Only 1000 and 3000 to 4999 may be said by name (the WebSocket standard).
      if (code === 1000 || code >= 3000) socket.close(code, reason);
      else socket.close();
    });
    socket.addEventListener("open", () => end.accept());
    socket.addEventListener("message", (event) => {
      if (end.readyState !== End.OPEN) return;
      try {
        end.send(event.data);
      } catch (error) {
        socket.close(); // nobody takes what it says
        throw error;
      }
    });
    socket.addEventListener(
      "close",
      (event) => end.#peer.#deliver(new CloseEvent("close", { code: event.code, reason: event.reason, wasClean: event.wasClean })),
    );
    socket.addEventListener("error", () => end.#peer.#deliver(new Event("error")));
  }
}

for (const name of ["message", "close", "error", "open"]) {
  const handlers = new WeakMap<End, (event: Event) => void>();
  Object.defineProperty(End.prototype, `on${name}`, {
    configurable: true,
    get(this: End) {
      return handlers.get(this) ?? null;
    },
    set(this: End, handler: ((event: Event) => void) | null) {
      if (!handlers.has(this)) this.addEventListener(name, (event) => handlers.get(this)?.call(this, event));
      if (typeof handler === "function") handlers.set(this, handler);
      else handlers.delete(this);
    },
  });
}

function copied(data: string | ArrayBuffer | ArrayBufferView): Message {
  if (typeof data === "string") return data;
  if (data instanceof ArrayBuffer) return data.slice(0);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice().buffer;
  return String(data);
}

class WebSocketPair {
  readonly 0: End;
  readonly 1: End;

  constructor() {
    [this[0], this[1]] = End.pair();
  }
}

// What the engine says itself.
const HANDSHAKE = /^(?:connection|content-length|host|keep-alive|transfer-encoding|upgrade|user-agent|sec-websocket-.*)$/;

/** Open a connection to *request*'s URL; the answer carries the program's end of it, or none when the server did not agree. */
async function dial(request: Request, carried: WeakMap<Response, End>): Promise<Response> {
  if (!/^https?:/.test(request.url)) throw new TypeError(`fetch cannot reach ${new URL(request.url).protocol} URLs`);
  const url = request.url.replace(/^http/, "ws");
  const { headers, signal } = request;
  signal.throwIfAborted();
  const protocols = (headers.get("sec-websocket-protocol") ?? "").split(",").map((text) => text.trim()).filter((text) => text !== "");
  const options = { protocols, headers: [...headers].filter(([name]) => !HANDSHAKE.test(name)) };
  const socket = new WebSocket(url, options as unknown as string[]);
  const [mine, other] = End.pair();
  End.join(other, socket);
  const opened = await new Promise<boolean | number>((resolve, reject) => {
    signal.addEventListener("abort", () => (socket.close(), reject(signal.reason)), { once: true });
    socket.addEventListener("open", () => resolve(true));
    socket.addEventListener("error", (event) => {
      const said = (event as ErrorEvent).message ?? "";
      const status = Number(/Invalid status code: ([1-5]\d\d)/.exec(said)?.[1]);
      if (status >= 200) resolve(status);
      else reject(new TypeError(`the WebSocket could not be opened: ${said}`));
    });
  });
  if (opened !== true) return Object.defineProperty(new Response(null, { status: Number(opened) }), "webSocket", { value: null });
  const agreed: HeadersInit = socket.protocol === "" ? {} : { "sec-websocket-protocol": socket.protocol };
  const response = new Response(null, { headers: { upgrade: "websocket", ...agreed } });
  carried.set(response, mine);
  return Object.defineProperties(response, { status: { value: 101 }, webSocket: { value: mine } });
}

function dialing(realFetch: typeof fetch, carried: WeakMap<Response, End>): typeof fetch {
  const RealRequest = Request;
  const wanted = (headers: HeadersInit | undefined) => headers !== undefined && new Headers(headers).get("upgrade")?.toLowerCase() === "websocket";
  return {
    fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
      if (!wanted(init?.headers ?? (input instanceof RealRequest ? input.headers : undefined))) return realFetch(input, init);
      return (async () => dial(new Request(input, init), carried))();
    },
  }.fetch;
}

/** Put WebSocketPair and `new Response(null, { status: 101, webSocket })` in place; the result makes a program answer with them. */
export function installWebSockets(host: typeof Deno): (program: Program) => Program {
  const carried = new WeakMap<Response, End>();
  const RealResponse = Response;
  const upgrade = host.upgradeWebSocket;
  const Outer = new Proxy(RealResponse, {
    construct(target, args, newTarget) {
      const init = args[1] as (ResponseInit & { webSocket?: unknown }) | undefined;
      const end = init?.webSocket;
      if (end === undefined || end === null) return Reflect.construct(target, args, newTarget);
      if (!(end instanceof End)) throw new TypeError("webSocket is not an end of a WebSocketPair");
      if (init!.status !== 101) throw new RangeError("Responses with a WebSocket must have status code 101.");
      const response = Reflect.construct(target, [null, { ...init, status: 200 }], newTarget) as Response;
      carried.set(response, end);
      return Object.defineProperties(response, { status: { value: 101 }, webSocket: { value: end } });
    },
  });
  RealResponse.prototype.constructor = Outer;
  Object.assign(globalThis, { Response: Outer, WebSocketPair, fetch: dialing(globalThis.fetch, carried) });

  function joined(request: Request, result: unknown): unknown {
    const end = result instanceof RealResponse ? carried.get(result) : undefined;
    if (end === undefined) return result;
    const protocol = (result as Response).headers.get("sec-websocket-protocol") ?? undefined;
    const { socket, response } = upgrade(request, { protocol, idleTimeout: 0 });
    End.join(end, socket);
    return response;
  }

  return (program) => (request, info) => {
    const result = program(request, info);
    return result instanceof Promise ? result.then((response) => joined(request, response)) : joined(request, result);
  };
}
