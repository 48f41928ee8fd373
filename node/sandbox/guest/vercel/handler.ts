// One edge function: its default export, or exports named after methods.

type Handler = (request: Request, context: Context) => unknown;
export type Module = Record<string, unknown>;

export interface Context {
  waitUntil(promise: Promise<unknown>): void;
  params?: Promise<Record<string, string>>;
}

const METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH"];

function handlerOf(exported: unknown): Handler | undefined {
  if (typeof exported === "function") return exported as Handler;
  const object = exported as { fetch?: Handler; default?: unknown } | undefined;
  return typeof object?.fetch === "function" ? object.fetch.bind(object) : undefined;
}

/** Make a handler of the module; undefined when it exports none. */
export function makeHandler(module: Module): Handler | undefined {
  const whole = handlerOf(module.default);
  if (whole !== undefined) return whole;
  const named = METHODS.filter((method) => typeof module[method] === "function");
  if (named.length === 0) return undefined;
  const allow = [...new Set([...named, ...(named.includes("GET") ? ["HEAD"] : []), "OPTIONS"])].sort().join(", ");
  return (request, context) => {
    const own = module[request.method] ?? (request.method === "HEAD" ? module.GET : undefined);
    if (typeof own === "function" && METHODS.includes(request.method)) return own(request, context);
    return request.method === "OPTIONS" ? new Response(null, { status: 204, headers: { allow } }) : new Response(null, { status: 405 });
  };
}
