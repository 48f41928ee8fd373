// The Workers dialect: export default { fetch(request, env, ctx) }.

import { report } from "./report.ts";
import type { Program } from "./answer.ts";

class ExecutionContext {
  #own = true;
  readonly props = {};

  waitUntil(promise: unknown): void {
    // Taken off its object it must throw, as it does on Cloudflare.
    if (!(typeof this === "object" && this !== null && #own in this)) throw new TypeError("Illegal invocation");
    Promise.resolve(promise).catch((error) => report.error("waitUntil", error));
  }

  passThroughOnException(): void {
    if (!(typeof this === "object" && this !== null && #own in this)) throw new TypeError("Illegal invocation");
  }
}

interface Entry {
  fetch(request: Request, env: Record<string, unknown>, ctx: ExecutionContext): unknown;
}

export function loadWorker(): (load: () => Promise<Record<string, unknown>>) => Promise<Program> {
  Object.defineProperty(Navigator.prototype, "userAgent", { configurable: true, enumerable: true, get: () => "Cloudflare-Workers" });
  return async (load) => {
    const entry = (await load()).default as Entry | undefined;
    if (typeof entry?.fetch !== "function") {
      throw new TypeError("the program exports no handler: a Worker has `export default { fetch(request, env, ctx) { ... } }`");
    }
    const env = Object.freeze({});
    return (request) => entry.fetch(request, env, new ExecutionContext());
  };
}
