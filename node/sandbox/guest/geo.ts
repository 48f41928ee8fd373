// Where a client is: asked of the agent's geo service over its socket, with a small memory. The service reads one database for all sandboxes.

import { report } from "./report.ts";

export interface Place {
  country: string | null;
  region: string | null;
  region_code: string | null;
  city: string | null;
  postal_code: string | null;
  latitude: number | null;
  longitude: number | null;
  metro_code: string | null;
  timezone: string | null;
  continent: string | null;
  is_eu: boolean | null;
  asn: number | null;
  as_organization: string | null;
}

export interface Geo {
  /** The place, a promise of it, or null when it cannot be known. */
  locate(ip: string): Place | null | Promise<Place | null>;
}

const REMEMBERED = 512;
const PATIENCE_MS = 250; // a service that hangs must not hold requests up
const SILENT_MS = 5000; // between two complaints

/** Connect to the service at *path*. */
export function connectGeo(host: typeof Deno, path: string): Geo {
  const client = host.createHttpClient({ proxy: { transport: "unix", path } });
  const realFetch = globalThis.fetch;
  const known = new Map<string, Place>();
  let complainedAt = -SILENT_MS;

  async function ask(ip: string): Promise<Place | null> {
    try {
      const signal = AbortSignal.timeout(PATIENCE_MS);
      const reply = await realFetch(`http://geo/?ip=${encodeURIComponent(ip)}`, { client, signal });
      if (!reply.ok) throw new Error(`status ${reply.status}`);
      const place = await reply.json() as Place;
      if (known.size >= REMEMBERED) known.delete(known.keys().next().value!);
      known.set(ip, place);
      return place;
    } catch (error) {
      if (performance.now() - complainedAt >= SILENT_MS) {
        complainedAt = performance.now();
        report.error("the client's place is unknown", error);
      }
      return null;
    }
  }

  return { locate: (ip) => known.get(ip) ?? ask(ip) };
}
