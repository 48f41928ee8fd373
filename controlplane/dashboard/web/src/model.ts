// What the dashboard's JSON views say. The Python side's render.py and fold.py are the other half.

export type Health = "healthy" | "unhealthy" | "stale" | "draining" | "unspecified";

export interface Witness {
  router: string;
  verdict: "up" | "down" | "unknown" | "unspecified";
  reason: string;
  rtt_ms: number;
  since: number | null;
}

export interface NodeInfo {
  id: string;
  region: string;
  site: string;
  latitude: number;
  longitude: number;
  addresses: string[];
  port: number;
  draining: boolean;
  health: Health;
  health_reason: string;
  connected: boolean;
  last_seen_at: number | null;
  witnesses: Witness[];
  snapshot_revision: number;
  load_1m: number;
  cpus: number;
  memory_available_bytes: number;
  isolation: string;
  deno_version: string;
  haproxy_version: string;
  ingress_ready: boolean;
}

export interface NodeView extends NodeInfo {
  functions: number;
  pending: number;
  refused: number;
  sandboxes: number;
  requests_per_s: number;
}

export interface FunctionInfo {
  name: string;
  hostnames: string[];
  active_version: number;
  created_at: number | null;
  limits: { cpu_ms: number; memory_mib: number; wall_ms: number };
}

export interface FunctionView extends FunctionInfo {
  serving: number;
  other: number;
  pending: number;
  refused: number;
  sandboxes: number;
  requests_per_s: number;
}

export interface Router {
  id: string;
  dns: string;
  http: string;
  epoch: number;
  zone: string;
}

export interface Flows {
  window_s: number;
  flows: [country: string, node: string, answersPerSecond: number][];
  functions: Record<string, number>;
  other_answers_per_s: number;
}

export interface FleetEvent {
  id: string;
  time: number | null;
  kind: string;
  function: string;
  version: number;
  node: string;
  region: string;
  actor: string;
  message: string;
}

export interface Link {
  state: "connecting" | "connected" | "unreachable" | "refused";
  endpoint: string;
  age_s: number | null;
  error: { code: string; message: string } | null;
  offers: { events: boolean; flows: boolean };
  now: number;
}

export interface Placement {
  function: string;
  generation: number;
  state: string;
  active_version: number;
  error: string;
}

export interface Sandbox {
  function: string;
  version: number;
  state: string;
  memory_bytes: number;
  cpu_s: number;
  requests: number;
  terminations: number;
  last_termination: string;
}

export interface Version {
  number: number;
  digest: string;
  size_bytes: number;
  dialect: string;
  entrypoint: string;
  author: string;
  message: string;
  created_at: number | null;
}

export interface Share {
  version: number;
  percent: number;
}

export interface Deployment {
  function: string;
  generation: number;
  shares: Share[];
  previous: Share[];
  phase: "progressing" | "paused" | "complete" | "failed" | "rolled_back" | "unspecified";
  reason: string;
  created_at: number | null;
  ended_at: number | null;
  nodes: { node: string; region: string; state: string; error: string }[];
}

export interface FunctionDetail {
  function: FunctionInfo;
  versions: Version[];
  deployment: Deployment | null;
  nodes: { node: string; region: string; health: Health; placement: Placement | null; sandboxes: Sandbox[] }[];
}

export interface NodeDetail {
  node: NodeInfo;
  placements: Placement[];
  sandboxes: Sandbox[];
}

export interface Decision {
  client: {
    ip: string;
    network: string;
    source: string;
    latitude: number | null;
    longitude: number | null;
    country: string;
    city: string;
  };
  candidates: { node: string; region: string; distance_km: number | null; chosen: boolean; eligible: boolean; reason: string }[];
  answers: string[];
  ttl_s: number;
  scope_prefix_length: number;
  reason: string;
}
