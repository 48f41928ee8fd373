// What the platform hands to a handler beside the request and env.

import { report } from "../report.ts";
import { outlive } from "../request.ts";

function illegal(): never {
  // Taken off its object a method must throw, as it does on Cloudflare.
  throw new TypeError("Illegal invocation");
}

/** Watch over what goes on after the answer: its failure ends nothing, but the log tells it. */
export function watch(promise: unknown): Promise<void> {
  return Promise.resolve(promise).then(() => {}, (error) => report.error("waitUntil", error));
}

export class ExecutionContext {
  #passes = false;
  #request?: Request;
  readonly props = {};
  readonly exports = {};

  constructor(request?: Request) {
    this.#request = request;
  }

  waitUntil(promise: unknown): void {
    if (!(typeof this === "object" && this !== null && #passes in this)) illegal();
    if (this.#request !== undefined) outlive(this.#request);
    watch(promise);
  }

  passThroughOnException(): void {
    if (!(typeof this === "object" && this !== null && #passes in this)) illegal();
    this.#passes = true;
  }

  abort(reason?: unknown): void {
    throw reason ?? new Error("the program called ctx.abort()");
  }

  static passes(context: ExecutionContext): boolean {
    return context.#passes;
  }
}

/** The context of a scheduled call: what it waits for is part of the call. */
export class ScheduledContext extends ExecutionContext {
  #waiting: Promise<unknown>[] = [];

  override waitUntil(promise: unknown): void {
    if (!(typeof this === "object" && this !== null && #waiting in this)) illegal();
    this.#waiting.push(Promise.resolve(promise));
  }

  /** Wait for everything, also for what is added meanwhile. Throws what the first failure threw. */
  static async settled(context: ScheduledContext): Promise<void> {
    for (let next; (next = context.#waiting.shift()) !== undefined;) await next;
  }
}
