// The Deno dialect: Deno.serve(handler) in its forms, or export default { fetch(request, info) }.

import type { Program } from "./answer.ts";

type ServeHandler = (request: Request, info: unknown) => unknown;

interface ServeOptions {
  handler?: ServeHandler;
  onListen?(address: { transport: "tcp"; hostname: string; port: number }): void;
  onError?(error: unknown): unknown;
}

const ADDRESS = { transport: "tcp", hostname: "0.0.0.0", port: 80 } as const;

export function loadDeno(host: typeof Deno): (load: () => Promise<Record<string, unknown>>) => Promise<Program> {
  let served: ServeHandler | undefined;

  function serve(first: ServeHandler | ServeOptions, second?: ServeHandler) {
    const options = typeof first === "function" ? {} : first ?? {};
    const handler = typeof first === "function" ? first : second ?? options.handler;
    if (typeof handler !== "function") throw new TypeError("Deno.serve needs a handler");
    if (served !== undefined) throw new TypeError("Deno.serve was called twice: a function has one handler");
    served = options.onError === undefined ? handler : guarded(handler, options.onError);
    options.onListen?.(ADDRESS);
    const forever = new Promise<void>(() => {});
    return { addr: ADDRESS, finished: forever, shutdown: () => forever, ref() {}, unref() {} };
  }

  const visible = {
    serve,
    env: {
      get: (_name: string): string | undefined => undefined,
      has: (_name: string): boolean => false,
      toObject: (): Record<string, string> => ({}),
    },
    args: [],
    version: host.version,
    build: host.build,
    errors: host.errors,
    inspect: host.inspect,
    upgradeWebSocket: host.upgradeWebSocket,
    noColor: true,
  };
  Object.defineProperty(globalThis, "Deno", { value: Object.freeze(visible), configurable: true, writable: true });

  return async (load) => {
    const entry = (await load()).default as { fetch?: ServeHandler } | undefined;
    const handler = served ?? entry?.fetch?.bind(entry);
    if (handler === undefined) {
      throw new TypeError("the program serves nothing: it calls `Deno.serve(handler)` or has `export default { fetch(request) { ... } }`");
    }
    return (request, info) => handler(request, informed(request, info));
  };
}

function guarded(handler: ServeHandler, onError: (error: unknown) => unknown): ServeHandler {
  return async (request, info) => {
    try {
      return await handler(request, info);
    } catch (error) {
      return await onError(error);
    }
  };
}

/** The connection is the ingress'; the program is told of the client's. */
function informed(request: Request, info: Deno.ServeHandlerInfo): unknown {
  return {
    get remoteAddr() {
      return { transport: "tcp", hostname: request.headers.get("x-real-ip") ?? "0.0.0.0", port: 0 };
    },
    completed: info.completed,
  };
}
