// The service-worker form: addEventListener("fetch" | "scheduled", …) with the bindings as globals.

import type { Scheduled } from "../control.ts";
import { ExecutionContext, ScheduledContext } from "./context.ts";

type Listener = ((event: Event) => void) | { handleEvent(event: Event): void };
type Kind = "fetch" | "scheduled";

class ExtendableEvent extends Event {
  #context: ExecutionContext;

  constructor(type: string, context: ExecutionContext) {
    super(type);
    this.#context = context;
  }

  waitUntil(promise: unknown): void {
    this.#context.waitUntil(promise);
  }

  passThroughOnException(): void {
    this.#context.passThroughOnException();
  }
}

class FetchEvent extends ExtendableEvent {
  #answer: unknown;
  #answered = false;
  readonly request: Request;

  constructor(request: Request, context: ExecutionContext) {
    super("fetch", context);
    this.request = request;
  }

  respondWith(answer: unknown): void {
    if (this.#answered) throw new TypeError("FetchEvent.respondWith() has already been called; it can only be called once.");
    this.#answered = true;
    this.#answer = answer;
  }

  static answer(event: FetchEvent): unknown {
    if (!event.#answered) throw new TypeError("no listener of the fetch event called respondWith()");
    return event.#answer;
  }

  static answered(event: FetchEvent): boolean {
    return event.#answered;
  }
}

class ScheduledEvent extends ExtendableEvent {
  readonly cron: string;
  readonly scheduledTime: number;

  constructor(scheduled: Scheduled, context: ExecutionContext) {
    super("scheduled", context);
    this.cron = scheduled.cron;
    this.scheduledTime = scheduled.scheduledTime;
  }

  noRetry(): void {} // a call is never repeated
}

const call = (listener: Listener, event: Event) => typeof listener === "function" ? listener(event) : listener.handleEvent(event);

/** The listeners of the two events; all others go to the engine's own event target. */
export function listenForEvents(env: Record<string, unknown>) {
  const listeners: Record<Kind, Listener[]> = { fetch: [], scheduled: [] };
  const add = globalThis.addEventListener.bind(globalThis);
  const remove = globalThis.removeEventListener.bind(globalThis);
  const ours = (type: string): type is Kind => type === "fetch" || type === "scheduled";

  globalThis.addEventListener = ((type: string, listener: Listener, options?: AddEventListenerOptions) => {
    if (ours(type)) listeners[type].push(listener);
    else add(type, listener as EventListener, options);
  }) as typeof globalThis.addEventListener;
  globalThis.removeEventListener = ((type: string, listener: Listener) => {
    if (ours(type)) listeners[type] = listeners[type].filter((other) => other !== listener);
    else remove(type, listener as EventListener);
  }) as typeof globalThis.removeEventListener;
  Object.assign(globalThis, env, { FetchEvent, ExtendableEvent, ScheduledEvent });

  return {
    handles: (kind: Kind) => listeners[kind].length > 0,
    fetch(request: Request, _env: unknown, context: ExecutionContext): unknown {
      const event = new FetchEvent(request, context);
      for (const listener of listeners.fetch) {
        call(listener, event);
        if (FetchEvent.answered(event)) break;
      }
      return FetchEvent.answer(event);
    },
    scheduled(scheduled: Scheduled, context: ScheduledContext): void {
      for (const listener of listeners.scheduled) call(listener, new ScheduledEvent(scheduled, context));
    },
  };
}
