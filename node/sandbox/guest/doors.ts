// Takes away what a program could reach the host with. The engine's permissions are the wall behind these doors.

// Available from node:, each without a way to the host. What imports.json does not name is available too, so the two lists belong together.
const AVAILABLE = new Set([
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
  "zlib",
]);

const REMOVED = [
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
  "closed",
];

/** Import the node: modules that the source names while the engine's own lazy loader still finds what it needs. */
export async function preload(source: string): Promise<void> {
  const named = new Set([...source.matchAll(/["'`]node:([\w/]+)["'`]/g)].map((match) => match[1]));
  for (const name of named) {
    if (AVAILABLE.has(name)) await import(`node:${name}`);
  }
}

/** Replace process, which could end the sandbox or load modules past the import map, by the few fields that packages read. */
export function safeProcess(env: Record<string, string>): void {
  const safe = {
    env,
    argv: [],
    version: "v0.0.0",
    versions: {},
    platform: "linux",
    arch: "x64",
    browser: true,
    cwd: () => "/",
    nextTick: (callback: (...args: unknown[]) => void, ...args: unknown[]) => queueMicrotask(() => callback(...args)),
    on() {
      return safe;
    },
    emitWarning() {},
  };
  Object.defineProperty(globalThis, "process", { value: safe, configurable: true, writable: true });
}

/**
 * Remove what leads to the host. Parts of the engine that load late look for the global Deno, node:worker_threads among them, which the import map
 * does not cover: a program must not be able to put one there that makes them work.
 */
export function closeDoors(dialectHasDeno: boolean): void {
  for (const name of REMOVED) delete (globalThis as Record<string, unknown>)[name];
  delete (Navigator.prototype as unknown as Record<string, unknown>).gpu;
  if (!dialectHasDeno) Object.defineProperty(globalThis, "Deno", { value: undefined, configurable: false, writable: false });
}
