// HTMLRewriter, over lol-html as WebAssembly (vendor/).

// @ts-types="../vendor/htmlrewriter.d.ts"
import { Comment, DocumentEnd, Element, EndTag, HTMLRewriter as Engine, init, setWasmExports, TextChunk, wrap } from "../vendor/htmlrewriter.js";

type Handlers = Record<string, (part: unknown) => unknown>;

const RealResponse = Response;
let wasm: Awaited<ReturnType<typeof init>>;

/** Start the engine. To be called while files can still be read. */
export async function makeRewriter(host: typeof Deno): Promise<unknown> {
  wasm = await init(await WebAssembly.compile(await host.readFile(new URL("../vendor/htmlrewriter.wasm", import.meta.url))));
  setWasmExports(wasm);
  for (const part of [Comment, DocumentEnd, Element, EndTag, TextChunk]) makeChainable(part.prototype);
  return HTMLRewriter;
}

// On Cloudflare what changes a part returns it.
const CHANGES = new Set(
  "before after prepend append replace remove removeAndKeepContent setInnerContent setAttribute removeAttribute".split(" "),
);

function makeChainable(prototype: object): void {
  for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    if (!CHANGES.has(name)) continue;
    Object.defineProperty(prototype, name, {
      configurable: true,
      writable: true,
      value(this: object, ...args: unknown[]) {
        value.apply(this, args);
        return this;
      },
    });
  }
}

function write(engine: Engine, chunk: Uint8Array): Promise<void> {
  const data = wasm.__wbindgen_malloc(chunk.length);
  new Uint8Array(wasm.memory.buffer).set(chunk, data);
  return wrap(engine, wasm.htmlrewriter_write, engine.ptr, data, chunk.length);
}

class HTMLRewriter {
  #elements: [string, Handlers][] = [];
  #documents: Handlers[] = [];

  on(selector: string, handlers: Handlers): this {
    const probe = new Engine(() => {}, { enableEsiTags: false });
    try {
      probe.on(selector, handlers); // a wrong selector throws here, where the program can see it
    } finally {
      probe.free();
    }
    this.#elements.push([selector, handlers]);
    return this;
  }

  onDocument(handlers: Handlers): this {
    this.#documents.push(handlers);
    return this;
  }

  transform(response: Response): Response {
    if (response.body === null) return new RealResponse(null, response);
    const headers = new Headers(response.headers);
    headers.delete("content-length"); // it was the length before
    return new RealResponse(this.#rewritten(response.body), { status: response.status, statusText: response.statusText, headers });
  }

  // A failing handler ends the body with its error, and the source is told.
  #rewritten(source: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    const reader = source.getReader();
    const produced: Uint8Array[] = [];
    const engine = new Engine((chunk) => chunk.length > 0 && produced.push(chunk.slice()), { enableEsiTags: false });
    let busy = false;
    let over = false;
    const close = () => {
      over = true;
      if (!busy) engine.free(); // while a handler is waited for, the engine's stack is in use
    };
    async function step(): Promise<boolean> {
      const { done, value } = await reader.read();
      busy = true;
      try {
        await (done ? wrap(engine, wasm.htmlrewriter_end, engine.ptr) : write(engine, bytes(value)));
      } finally {
        busy = false;
        if (over) engine.free();
      }
      return done;
    }
    for (const [selector, handlers] of this.#elements) engine.on(selector, handlers);
    for (const handlers of this.#documents) engine.onDocument(handlers);
    return new ReadableStream({
      async pull(controller) {
        try {
          let done = false;
          while (!done && !over && produced.length === 0) done = await step();
          if (over) return;
          for (const chunk of produced.splice(0)) controller.enqueue(chunk);
          if (!done) return;
          close();
          controller.close();
        } catch (error) {
          controller.error(error);
          close();
          await reader.cancel(error).catch(() => {}); // the source may have failed itself: that is the error already told
        }
      },
      async cancel(reason) {
        close();
        await reader.cancel(reason);
      },
    });
  }
}

function bytes(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  if (typeof chunk === "string") return new TextEncoder().encode(chunk);
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  throw new TypeError("HTMLRewriter reads bytes");
}
