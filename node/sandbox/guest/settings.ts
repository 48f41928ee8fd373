// What the agent says of the program: the first line of standard input. Unknown keys are ignored, missing ones mean that there is none.

export type Dialect = "workers" | "deno" | "vercel";

export interface RateLimiter {
  name: string;
  limit: number;
  period_s: number;
}

export interface EdgeRoute {
  path: string;
  export: string;
}

export interface Manifest {
  rate_limiters: RateLimiter[];
  assets: { digest: string; binding: string } | null;
  matchers: string[];
  edge_routes: EdgeRoute[];
  version_binding: string;
}

export interface Settings {
  dialect: Dialect;
  function: string;
  version: number;
  digest: string;
  node: string;
  region: string;
  createdAt: Date;
  env: Record<string, string>; // vars and secrets
  manifest: Manifest;
  control: string; // what a control call must know; "" refuses them all
  sockets: { egress: string | null; geo: string | null; assets: string | null };
  subrequests: number; // that one request may cause; Infinity when nothing was said
  requestBody: number; // bytes that a program may read of one request's; Infinity when nothing was said
  sourceBytes: number; // what follows the line; Infinity: all that there is
}

/** Read the line. A key of the wrong type is a mistake of the agent's, and throws where it is used. */
export function parse(line: string): Settings {
  const raw = JSON.parse(line);
  const manifest = raw.manifest ?? {};
  const assets = manifest.assets?.digest ? { digest: manifest.assets.digest, binding: manifest.assets.binding ?? "" } : null;
  return {
    dialect: raw.dialect,
    function: raw.function ?? "",
    version: Number(raw.version ?? 0),
    digest: raw.digest ?? "",
    node: raw.node ?? "",
    region: raw.region ?? "",
    get createdAt() {
      return date(raw.created_at); // the first Date costs more than the rest of the line
    },
    env: { ...raw.env },
    manifest: {
      rate_limiters: manifest.rate_limiters ?? [],
      assets,
      matchers: manifest.matchers ?? [],
      edge_routes: manifest.edge_routes ?? [],
      version_binding: manifest.version_binding ?? "",
    },
    control: raw.control ?? "",
    sockets: { egress: raw.sockets?.egress || null, geo: raw.sockets?.geo || null, assets: raw.sockets?.assets || null },
    subrequests: raw.limits?.subrequests || Infinity,
    requestBody: raw.limits?.request_body_bytes || Infinity,
    sourceBytes: raw.source_bytes ?? Infinity,
  };
}

/** Seconds since 1970, or ISO 8601; the beginning of 1970 when nothing was said. */
function date(value: unknown): Date {
  const read = typeof value === "number" ? new Date(value * 1000) : new Date(String(value ?? 0));
  return Number.isNaN(read.getTime()) ? new Date(0) : read;
}
