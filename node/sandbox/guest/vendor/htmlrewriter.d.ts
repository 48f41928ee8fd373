/** lol-html, compiled with Asyncify so that a handler may be asynchronous. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  __wbindgen_malloc(size: number): number;
  htmlrewriter_write(engine: number, data: number, size: number): void;
  htmlrewriter_end(engine: number): void;
}

export function init(module: WebAssembly.Module): Promise<Exports>;
export function setWasmExports(exports: Exports): void;
/** Call *fn*, again and again until no handler is waited for any more. */
export function wrap<A extends unknown[]>(engine: HTMLRewriter, fn: (...args: A) => void, ...args: A): Promise<void>;

export class HTMLRewriter {
  constructor(sink: (chunk: Uint8Array) => void, options: { enableEsiTags: boolean });
  readonly ptr: number;
  on(selector: string, handlers: unknown): void;
  onDocument(handlers: unknown): void;
  free(): void;
}

export class Comment {}
export class Doctype {}
export class DocumentEnd {}
export class Element {}
export class EndTag {}
export class TextChunk {}
