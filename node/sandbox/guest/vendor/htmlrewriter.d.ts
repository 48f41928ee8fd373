/** lol-html, compiled with Asyncify so that a handler may be asynchronous. */
export interface Exports {
  readonly memory: WebAssembly.Memory;
  __wbindgen_malloc(size: number): number;
  htmlrewriter_write(engine: number, data: number, size: number): void;
  htmlrewriter_end(engine: number): void;
}

export interface Engine {
  readonly ptr: number;
  on(selector: string, handlers: unknown): void;
  onDocument(handlers: unknown): void;
  free(): void;
}

type Part = { readonly prototype: object };

export interface Package {
  init(module: WebAssembly.Module): Promise<Exports>;
  setWasmExports(exports: Exports): void;
  /** Call *fn*, again and again until no handler is waited for any more. */
  wrap<A extends unknown[]>(engine: Engine, fn: (...args: A) => void, ...args: A): Promise<void>;
  HTMLRewriter: new (sink: (chunk: Uint8Array) => void, options: { enableEsiTags: boolean }) => Engine;
  Comment: Part;
  Doctype: Part;
  DocumentEnd: Part;
  Element: Part;
  EndTag: Part;
  TextChunk: Part;
}

/** The package anew, with nothing in common with another. */
export function make(): Package;
