// env: vars, secrets, static assets, rate limiters and the version's own data.

import type { Services } from "../dialect.ts";
import type { RateLimiter, Settings } from "../settings.ts";

const KEYS_MAX = 10_000; // remembered by one limiter; the oldest is forgotten first

class RateLimit {
  #limit: number;
  #periodMs: number;
  #counts = new Map<string, number>();
  #until = 0;

  constructor(limiter: RateLimiter) {
    this.#limit = limiter.limit;
    this.#periodMs = limiter.period_s * 1000;
  }

  // deno-lint-ignore require-await
  async limit(options: { key: string }): Promise<{ success: boolean }> {
    if (typeof options?.key !== "string") throw new TypeError("limit() needs { key: string }");
    const now = performance.now();
    if (now >= this.#until) {
      this.#until = now + this.#periodMs;
      this.#counts.clear();
    }
    const count = (this.#counts.get(options.key) ?? 0) + 1;
    if (count === 1 && this.#counts.size >= KEYS_MAX) this.#counts.delete(this.#counts.keys().next().value!);
    this.#counts.set(options.key, count);
    return { success: count <= this.#limit };
  }
}

/** A version's id in the form that Cloudflare's has, a UUID: the beginning of its digest. */
function uuid(digest: string): string {
  const hex = digest.padEnd(32, "0").slice(0, 32);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

export function bindings(settings: Settings, services: Services): Record<string, unknown> {
  const { assets, rate_limiters, version_binding } = settings.manifest;
  const env: Record<string, unknown> = { ...settings.env };
  if (assets !== null && assets.binding !== "") {
    env[assets.binding] = services.assets ?? { fetch: () => Promise.reject(new Error("the node has no file server")) };
  }
  for (const limiter of rate_limiters) env[limiter.name] = new RateLimit(limiter);
  if (version_binding !== "") {
    env[version_binding] = { id: uuid(settings.digest), tag: `v${settings.version}`, timestamp: settings.createdAt.toISOString() };
  }
  return env;
}
