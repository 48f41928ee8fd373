// The fleet as this page knows it, fed by server-sent events. Views are told once a frame what has changed.

import type { FleetEvent, Flows, FunctionView, Link, NodeView, Router } from "./model.ts";

export type Change = "nodes" | "functions" | "routers" | "flows" | "events" | "link" | "tick";

const SILENCE_MS = 7000; // three heartbeats and a little
const RETRY_MS = 1500;
const EVENTS_KEPT = 500;

interface Patch {
  nodes?: NodeView[];
  gone_nodes?: string[];
  functions?: FunctionView[];
  gone_functions?: string[];
  routers?: Router[];
}

export class Store {
  nodes = new Map<string, NodeView>();
  functions = new Map<string, FunctionView>();
  routers: Router[] = [];
  flows: Flows | null = null;
  events: FleetEvent[] = [];
  moreEvents = false; // whether the control plane keeps older ones than these
  link: Link | null = null;
  loaded = false; // whether nodes, functions and routers have ever been read
  away = false; // whether the dashboard itself is silent
  denied = new Set<string>(); // actions that the API has refused to this token, by scope
  onLost: () => void = () => {}; // the stream ended, or the API wants another token
  private heardAt = performance.now();
  private ahead = 0; // how far the dashboard's clock is ahead of this browser's, in seconds
  private listeners = new Set<(changes: Set<Change>) => void>();
  private pending = new Set<Change>();
  private source: EventSource | null = null;
  private retry?: ReturnType<typeof setTimeout>;

  constructor() {
    setInterval(() => this.tick(), 1000);
  }

  subscribe(listener: (changes: Set<Change>) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  // Seconds since the epoch, by the dashboard's clock: every time in the state is by it or by the control plane's.
  now(): number {
    return Date.now() / 1000 + this.ahead;
  }

  // Age of what is shown, in seconds; null before the first reading.
  age(): number | null {
    const told = this.link?.age_s ?? null;
    return told === null ? null : told + (performance.now() - this.heardAt) / 1000;
  }

  connect(): void {
    this.disconnect();
    const source = new EventSource("/api/stream");
    this.source = source;
    this.listen(source, "state", (whole) => {
      this.nodes = new Map((whole.nodes as NodeView[]).map((node) => [node.id, node]));
      this.functions = new Map((whole.functions as FunctionView[]).map((item) => [item.name, item]));
      this.routers = whole.routers as Router[];
      this.flows = whole.flows as Flows | null;
      this.events = whole.events as FleetEvent[];
      this.moreEvents = whole.more_events as boolean;
      this.hear(whole.link as Link);
      this.announce("nodes", "functions", "routers", "flows", "events");
    });
    this.listen(source, "patch", (patch) => this.apply(patch as Patch));
    this.listen(source, "flows", (flows) => {
      this.flows = flows as Flows | null;
      this.announce("flows");
    });
    this.listen(source, "events", (told) => {
      const news = told.events as FleetEvent[];
      if (told.whole) this.moreEvents = told.more as boolean;
      this.events = told.whole ? news : [...news, ...this.events].slice(0, EVENTS_KEPT);
      this.announce("events");
    });
    this.listen(source, "link", (link) => this.hear(link as Link));
    source.onerror = () => {
      if (source !== this.source) return;
      this.disconnect();
      clearTimeout(this.retry);
      this.retry = setTimeout(() => this.onLost(), RETRY_MS);
    };
  }

  disconnect(): void {
    this.source?.close();
    this.source = null;
  }

  announce(...changes: Change[]): void {
    if (this.pending.size === 0) requestAnimationFrame(() => this.flush());
    for (const change of changes) this.pending.add(change);
  }

  // deno-lint-ignore no-explicit-any -- the server's messages are typed where they are taken over
  private listen(source: EventSource, kind: string, take: (data: any) => void): void {
    source.addEventListener(kind, (event) => {
      if (source !== this.source) return;
      this.heardAt = performance.now();
      if (this.away) {
        this.away = false;
        this.announce("link");
      }
      take(JSON.parse((event as MessageEvent).data));
    });
  }

  private hear(link: Link): void {
    this.link = link;
    this.ahead = link.now - Date.now() / 1000;
    if (link.age_s !== null) this.loaded = true;
    this.announce("link");
    if (link.state === "refused") this.onLost();
  }

  private apply(patch: Patch): void {
    for (const node of patch.nodes ?? []) this.nodes.set(node.id, node);
    for (const id of patch.gone_nodes ?? []) this.nodes.delete(id);
    for (const item of patch.functions ?? []) this.functions.set(item.name, item);
    for (const name of patch.gone_functions ?? []) this.functions.delete(name);
    if (patch.routers) this.routers = patch.routers;
    if (patch.nodes || patch.gone_nodes) this.announce("nodes");
    if (patch.functions || patch.gone_functions) this.announce("functions");
    if (patch.routers) this.announce("routers");
  }

  private tick(): void {
    if (!this.away && this.link && performance.now() - this.heardAt > SILENCE_MS) {
      this.away = true;
      if (this.source) this.connect();
    }
    this.announce("tick");
  }

  private flush(): void {
    const changes = this.pending;
    this.pending = new Set();
    for (const listener of [...this.listeners]) listener(changes);
  }
}
