// What the guest tells the agent, and the program's console, which ends there too.

const MESSAGE_MAX = 4096;
const STACK_LINES = 6;
const LINES_PER_SECOND = 100;
const PROGRAM = /blob:null\/[0-9a-f-]{36}|data:text\/javascript;base64,[\w+/=.]+/g; // of the second the engine may show the ends alone

type Level = "debug" | "info" | "warn" | "error" | "limit";

let host: typeof Deno;
let budget = LINES_PER_SECOND;
let budgetAt = 0;
const encoder = new TextEncoder();
const stringify = JSON.stringify;

function emit(event: Record<string, unknown>): void {
  const bytes = encoder.encode(stringify(event) + "\n");
  for (let sent = 0; sent < bytes.length;) sent += host.stdout.writeSync(bytes.subarray(sent));
}

function log(level: Level, message: string, more?: Record<string, unknown>): void {
  const now = performance.now();
  if (now - budgetAt >= 1000) {
    budgetAt = now;
    budget = LINES_PER_SECOND;
  }
  if (budget-- <= 0) return;
  emit({ event: "log", level, message: message.slice(0, MESSAGE_MAX), ...more });
}

/** An error's name, message and first stack lines; the program's own URL is shown as its file name. */
export function explain(error: unknown, url = ""): string {
  const text = error instanceof Error ? error.stack || `${error.name}: ${error.message}` : `${format([error])}`;
  const denied = /requested module '((?:node|cloudflare):[\w/]+)' does not provide/.exec(text);
  if (denied !== null) return `${denied[1]} is not available to functions`;
  const named = (url === "" ? text : text.replaceAll(url, "program.js")).replaceAll(PROGRAM, "program.js");
  return named.split("\n").filter((line) => !line.includes("/guest/")).slice(0, STACK_LINES).join("\n").slice(0, MESSAGE_MAX);
}

function format(parts: unknown[]): string {
  return parts.map((part) => typeof part === "string" ? part : host.inspect(part, { depth: 4, colors: false })).join(" ");
}

export const report = {
  listening: () => emit({ event: "listening" }),
  ready: () => emit({ event: "ready" }),
  failed: (error: unknown, url: string) => emit({ event: "failed", error: explain(error, url) }),
  error: (what: string, error: unknown, reason?: string) => log("error", `${what}: ${explain(error)}`, { reason }),
  limit: (reason: string, message: string) => log("limit", `${reason}: ${message}`, { reason }),
};

/** Replace the console, which would write to standard output, by one that reports. */
export function installConsole(realHost: typeof Deno): void {
  host = realHost;
  const at = (level: Level) => (...parts: unknown[]) => log(level, format(parts));
  const nothing = () => {};
  globalThis.console = {
    log: at("info"),
    info: at("info"),
    debug: at("debug"),
    warn: at("warn"),
    error: at("error"),
    trace: at("debug"),
    dir: (item: unknown) => log("info", format([item])),
    dirxml: at("info"),
    table: (data: unknown) => log("info", format([data])),
    assert: (condition?: boolean, ...parts: unknown[]) => {
      if (!condition) log("error", format(["Assertion failed:", ...parts]));
    },
    group: at("info"),
    groupCollapsed: at("info"),
    groupEnd: nothing,
    count: nothing,
    countReset: nothing,
    time: nothing,
    timeLog: nothing,
    timeEnd: nothing,
    timeStamp: nothing,
    clear: nothing,
    profile: nothing,
    profileEnd: nothing,
  } as unknown as Console;
}
