// One node: every witness's word on it, its sandboxes and placements, drain and uncordon.

import { DrainButton } from "../actions.ts";
import { explain, read, Refusal } from "../api.ts";
import type { App, View } from "../app.ts";
import { h, replace } from "../dom.ts";
import { ago, bytes, degrees, stamp } from "../format.ts";
import { Badge, LoadBar } from "../health.ts";
import type { NodeDetail } from "../model.ts";
import type { Change } from "../store.ts";
import { empty, fact, failure, functionUrl, link, loading } from "./parts.ts";

const READ_MS = 2000;

export class NodeView implements View {
  title: string;
  root: HTMLElement;
  private body = h("div", {}, loading());
  private button: DrainButton;
  private badge = new Badge();
  private id: string;
  private drawn = "";
  private health = "";
  private timer?: ReturnType<typeof setTimeout>;
  private busy = false;
  private left = false;

  constructor(private app: App, path: string) {
    this.id = decodeURIComponent(path);
    this.title = this.id;
    this.button = new DrainButton(app);
    this.button.root.hidden = true;
    this.root = h(
      "div",
      { class: "page" },
      h(
        "header",
        { class: "page-head" },
        link(app, "/nodes", { class: "back" }, "Nodes"),
        h("h1", { class: "mono" }, this.id),
        this.badge.root,
        this.button.root,
      ),
      this.body,
    );
    this.badge.root.hidden = true;
  }

  show(): void {
    void this.read();
  }

  update(changes: Set<Change>): void {
    if (!changes.has("nodes") && !changes.has("link")) return;
    const node = this.app.store.nodes.get(this.id);
    const key = `${node?.health} ${this.app.store.denied.size}`;
    if (key !== this.health) void this.read();
    this.health = key;
  }

  leave(): void {
    this.left = true;
    clearTimeout(this.timer);
  }

  private async read(): Promise<void> {
    if (this.busy || this.left) return;
    this.busy = true;
    clearTimeout(this.timer);
    try {
      const detail = await read<NodeDetail>(`/api/nodes/${encodeURIComponent(this.id)}`);
      if (this.left) return;
      this.badge.set(detail.node.health).root.hidden = false;
      this.button.set(detail.node);
      this.button.root.hidden = false;
      const key = JSON.stringify(detail);
      if (key !== this.drawn) this.draw(detail);
      this.drawn = key;
    } catch (error) {
      if (this.left) return;
      if (!this.drawn || (error instanceof Refusal && error.code === "NOT_FOUND")) {
        this.drawn = "";
        this.badge.root.hidden = this.button.root.hidden = true;
        replace(this.body, failure(explain(error), () => void this.read()));
      }
    } finally {
      this.busy = false;
    }
    this.timer = setTimeout(() => void this.read(), READ_MS);
  }

  private draw({ node, placements, sandboxes }: NodeDetail): void {
    const load = new LoadBar();
    load.set(node.load_1m, node.cpus, node.connected);
    replace(
      this.body,
      h("p", { class: "sentence muted" }, node.health_reason),
      h(
        "dl",
        { class: "facts across" },
        fact("Region", node.region, node.site ? ` · ${node.site}` : null),
        fact("Place", degrees(node.latitude, node.longitude), " ", link(this.app, `/map?node=${encodeURIComponent(node.id)}`, {}, "on the map")),
        fact("Ingress", h("span", { class: "mono" }, `${node.addresses.join(", ")} port ${node.port}`)),
        fact("Load", load.root, h("span", { class: "muted" }, ` ${node.load_1m} on ${node.cpus} cores`)),
        fact("Memory free", bytes(node.memory_available_bytes)),
        fact("Snapshot", `revision ${node.snapshot_revision}`),
        fact("Isolation", node.isolation || "not told"),
        fact("Engines", `Deno ${node.deno_version || "?"}, HAProxy ${node.haproxy_version || "?"}`),
        fact("Last seen", stamp(node.last_seen_at)),
      ),
      this.witnesses(node),
      this.sandboxes(sandboxes),
      this.placements(placements),
    );
  }

  private witnesses(node: NodeDetail["node"]): HTMLElement {
    const now = this.app.store.now();
    const rows = node.witnesses.map((item) =>
      h(
        "tr",
        { class: item.verdict === "down" ? "bad" : "" },
        h("th", { scope: "row", class: "mono" }, item.router),
        h("td", {}, item.verdict),
        h("td", { class: "num wide" }, item.rtt_ms ? `${item.rtt_ms} ms` : "—"),
        h("td", { class: "free" }, item.reason),
        h("td", { class: "num muted" }, ago(item.since, now)),
      )
    );
    return section("Witnesses", [["Witness", ""], ["Verdict", ""], ["Round trip", "num wide"], ["Reason", ""], ["Since", "num"]], [
      h(
        "tr",
        { class: node.connected ? "" : "bad" },
        h("th", { scope: "row" }, "control plane"),
        h("td", {}, node.connected ? "connected" : "lease gone"),
        h("td", { class: "num wide" }, "—"),
        h("td", {}, node.connected ? "the agent holds its lease" : "its agent sends no heartbeat"),
        h("td", { class: "num muted" }, ago(node.last_seen_at, now)),
      ),
      ...rows,
    ]);
  }

  private sandboxes(items: NodeDetail["sandboxes"]): HTMLElement {
    if (!items.length) return h("section", { "aria-label": "Sandboxes" }, h("h2", {}, "Sandboxes"), empty("No sandbox runs here."));
    return section(
      "Sandboxes",
      [["Function", ""], ["Version", ""], ["State", ""], ["Memory", "num"], ["CPU", "num wide"], ["Requests", "num"], ["Terminations", "wide"]],
      items.map((item) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, link(this.app, functionUrl(item.function), { class: "mono" }, item.function)),
          h("td", {}, `v${item.version}`),
          h("td", {}, item.state),
          h("td", { class: "num" }, bytes(item.memory_bytes)),
          h("td", { class: "num wide" }, `${item.cpu_s.toFixed(2)} s`),
          h("td", { class: "num" }, item.requests.toLocaleString("en")),
          h("td", { class: "wide" }, item.terminations ? `${item.terminations}, last: ${item.last_termination}` : "none"),
        )
      ),
    );
  }

  private placements(items: NodeDetail["placements"]): HTMLElement | null {
    const odd = items.filter((item) => item.state !== "active");
    if (!odd.length) return null;
    return section(
      "Not as wanted",
      [["Function", ""], ["Serves", ""], ["State", ""], ["Error", ""]],
      odd.map((item) =>
        h(
          "tr",
          { class: item.state === "refused" ? "bad" : "" },
          h("th", { scope: "row" }, link(this.app, functionUrl(item.function), { class: "mono" }, item.function)),
          h("td", {}, item.active_version ? `v${item.active_version}` : "—"),
          h("td", {}, item.state),
          h("td", { class: "free" }, item.error),
        )
      ),
    );
  }
}

function section(title: string, columns: [string, string][], rows: HTMLElement[]): HTMLElement {
  const head = h("thead", {}, h("tr", {}, ...columns.map(([word, kind]) => h("th", { scope: "col", class: kind }, word))));
  return h("section", { "aria-label": title }, h("h2", {}, title), h("table", { class: "grid" }, head, h("tbody", {}, ...rows)));
}
