// HTMLRewriter, over lol-html as WebAssembly (vendor/).
//
// An asynchronous handler suspends its instance of the engine in the middle of its stack, and nothing else may run on that stack meanwhile. So
// each transformation that is under way has an instance of its own, up to a bound; beyond it they take turns.

// @ts-types="../vendor/htmlrewriter.d.ts"
import { type Engine, type Exports, make, type Package } from "../vendor/htmlrewriter.js";

type Handlers = Record<string, (part: unknown) => unknown>;

const INSTANCES_MAX = 64; // of about 1 MiB each
const KEPT_IDLE = 4;
// On Cloudflare what changes a part returns it.
const CHANGES = new Set(
  "before after prepend append replace remove removeAndKeepContent setInnerContent setAttribute removeAttribute".split(" "),
);
const RealResponse = Response;
const RealHeaders = Headers;

class Instance {
  users = 0;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(readonly parts: Package, readonly wasm: Exports) {}

  static async start(module: WebAssembly.Module): Promise<Instance> {
    const parts = make();
    const wasm = await parts.init(module);
    parts.setWasmExports(wasm);
    for (const part of [parts.Comment, parts.DocumentEnd, parts.Element, parts.EndTag, parts.TextChunk]) makeChainable(part.prototype);
    return new Instance(parts, wasm);
  }

  engine(sink: (chunk: Uint8Array) => void): Engine {
    return new this.parts.HTMLRewriter(sink, { enableEsiTags: false });
  }

  write(engine: Engine, chunk: Uint8Array): Promise<void> {
    return this.#next(() => {
      const data = this.wasm.__wbindgen_malloc(chunk.length);
      new Uint8Array(this.wasm.memory.buffer).set(chunk, data);
      return this.parts.wrap(engine, this.wasm.htmlrewriter_write, engine.ptr, data, chunk.length);
    });
  }

  end(engine: Engine): Promise<void> {
    return this.#next(() => this.parts.wrap(engine, this.wasm.htmlrewriter_end, engine.ptr));
  }

  free(engine: Engine): Promise<void> {
    return this.#next(() => engine.free());
  }

  #next<T>(work: () => T | Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {}); // its error is the caller's; the next one has its turn all the same
    return done;
  }
}

let compiled: WebAssembly.Module;
let judge: Instance; // of selectors, and of nothing that could be waited for
const instances: Instance[] = [];
let starting = 0;

async function take(): Promise<Instance> {
  let found = instances.find(({ users }) => users === 0);
  if (found === undefined && instances.length + starting < INSTANCES_MAX) {
    starting += 1;
    found = await Instance.start(compiled).finally(() => starting -= 1);
    instances.push(found);
  }
  while (found === undefined) {
    if (instances.length === 0) await new Promise((resolve) => setTimeout(resolve, 1)); // all of them are being started
    else found = instances.reduce((best, other) => other.users < best.users ? other : best);
  }
  found.users += 1;
  return found;
}

function release(instance: Instance): void {
  instance.users -= 1;
  if (instance.users === 0 && instances.filter(({ users }) => users === 0).length > KEPT_IDLE) instances.splice(instances.indexOf(instance), 1);
}

/** Start the engine. To be called while files can still be read. */
export async function makeRewriter(host: typeof Deno): Promise<unknown> {
  compiled = await WebAssembly.compile(await host.readFile(`${import.meta.dirname}/htmlrewriter.wasm`));
  judge = await Instance.start(compiled);
  return HTMLRewriter;
}

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

/** One transformation under way. */
class Work {
  readonly #produced: Uint8Array[] = [];
  readonly #engine: Engine;
  #over = false;

  constructor(readonly instance: Instance, readonly reader: ReadableStreamDefaultReader<unknown>, prepare: (engine: Engine) => void) {
    this.#engine = instance.engine((chunk) => chunk.length > 0 && this.#produced.push(chunk.slice()));
    prepare(this.#engine);
  }

  /** Read until there is something to show. Returns whether there is more to come. */
  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<boolean> {
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

  async close(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    await this.instance.free(this.#engine);
    release(this.instance);
  }
}

class HTMLRewriter {
  #elements: [string, Handlers][] = [];
  #documents: Handlers[] = [];

  on(selector: string, handlers: Handlers): this {
    const probe = judge.engine(() => {});
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
    const headers = new RealHeaders(response.headers);
    headers.delete("content-length"); // it was the length before
    return new RealResponse(this.#rewritten(response.body), { status: response.status, statusText: response.statusText, headers });
  }

  // A failing handler ends the body with its error, and the source is told.
  #rewritten(source: ReadableStream<unknown>): ReadableStream<Uint8Array> {
    const reader = source.getReader();
    let work: Work | undefined;
    return new ReadableStream({
      start: async () => {
        work = new Work(await take(), reader, (engine) => {
          for (const [selector, handlers] of this.#elements) engine.on(selector, handlers);
          for (const handlers of this.#documents) engine.onDocument(handlers);
        });
      },
      async pull(controller) {
        try {
          if (await work!.pull(controller)) return;
          await work!.close();
          controller.close();
        } catch (error) {
          controller.error(error);
          await work!.close();
          await reader.cancel(error).catch(() => {}); // the source may have failed itself: that is the error already told
        }
      },
      async cancel(reason) {
        await Promise.all([work?.close(), reader.cancel(reason)]);
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
