// Every node: health as each witness sees it, load, what it runs, and whether it is behind.

import type { App, View } from "../app.ts";
import { h, Keyed, type Row, setAttribute, setText } from "../dom.ts";
import { ago, count, rate } from "../format.ts";
import { Badge, LoadBar } from "../health.ts";
import type { NodeView, Router } from "../model.ts";
import type { Change } from "../store.ts";
import { empty, link, loading, nodeUrl } from "./parts.ts";

export class NodesView implements View {
  title = "Nodes";
  root: HTMLElement;
  private body = h("tbody");
  private tally = h("span", { class: "muted" });
  private table: HTMLElement;
  private place = h("div", {}, loading());
  private routerList = h("ul", { class: "plain routers" });
  private rows = new Keyed<NodeView>(this.body, (node) => node.id, (node) => this.makeRow(node));
  private routerRows = new Keyed<Router>(this.routerList, (router) => router.id, (router) => this.makeRouter(router));
  private newest = 0;

  constructor(private app: App) {
    const columns = [
      ["Node", ""],
      ["Region", "wide"],
      ["Health", ""],
      ["Witnesses", "wide"],
      ["Load", ""],
      ["Requests/s", "num wide"],
      ["Functions", "num wide"],
      ["Revision", "num wide"],
      ["Seen", "num"],
    ];
    this.table = h(
      "table",
      { class: "grid nodes" },
      h("thead", {}, h("tr", {}, ...columns.map(([word, kind]) => h("th", { scope: "col", class: kind }, word)))),
      this.body,
    );
    this.root = h(
      "div",
      { class: "page" },
      h("header", { class: "page-head" }, h("h1", {}, "Nodes"), this.tally),
      this.place,
      h("section", { "aria-label": "Routers" }, h("h2", {}, "Routers"), this.routerList),
    );
  }

  show(): void {
    this.update(new Set<Change>(["nodes", "routers"]));
  }

  update(changes: Set<Change>): void {
    const { store } = this.app;
    if (!store.loaded) return;
    if (changes.has("nodes") || changes.has("tick")) {
      const items = [...store.nodes.values()].sort((a, b) => a.id < b.id ? -1 : 1);
      this.newest = Math.max(0, ...items.map((node) => node.snapshot_revision));
      setText(this.tally, count(items.length, "node"));
      this.rows.sync(items);
      if (items.length && this.place.firstElementChild !== this.table) this.place.replaceChildren(this.table);
      else if (!items.length) this.place.replaceChildren(empty("No node has joined yet.", "Start one with: nearhop node join"));
    }
    if (changes.has("routers")) {
      this.routerRows.sync(store.routers);
      if (!store.routers.length) this.routerList.replaceChildren(h("li", { class: "muted" }, "No router is connected: nobody probes the nodes."));
    }
  }

  leave(): void {}

  private makeRow(node: NodeView): Row<NodeView> {
    const health = new Badge();
    const witnesses = h("td", { class: "wide witnesses" });
    const load = new LoadBar();
    const [requests, functions, revision, seen] = [
      h("td", { class: "num wide" }),
      h("td", { class: "num wide" }),
      h("td", { class: "num wide" }),
      h("td", { class: "num" }),
    ];
    const root = h(
      "tr",
      {},
      h("th", { scope: "row" }, link(this.app, nodeUrl(node.id), { class: "mono" }, node.id)),
      h("td", { class: "wide" }, node.region),
      h("td", {}, health.root),
      witnesses,
      h("td", {}, load.root),
      requests,
      functions,
      revision,
      seen,
    );
    return {
      root,
      update: (now) => {
        health.set(now.health);
        setAttribute(health.root, "title", now.health_reason);
        const up = now.witnesses.filter((item) => item.verdict === "up").length;
        setText(witnesses, `${now.connected ? "connected" : "not connected"}, ${up} of ${count(now.witnesses.length, "router")} up`);
        setAttribute(witnesses, "class", !now.connected || up < now.witnesses.length ? "wide witnesses doubt" : "wide witnesses");
        load.set(now.load_1m, now.cpus, now.connected);
        setText(requests, now.connected ? rate(now.requests_per_s) : "—");
        setText(functions, `${now.functions}${now.pending ? `, ${now.pending} pending` : ""}${now.refused ? `, ${now.refused} refused` : ""}`);
        const behind = this.newest - now.snapshot_revision;
        setText(revision, behind ? `${now.snapshot_revision} (−${behind})` : String(now.snapshot_revision));
        setText(seen, ago(now.last_seen_at, this.app.store.now()));
      },
    };
  }

  private makeRouter(router: Router): Row<Router> {
    const epoch = h("span", { class: "muted num" });
    const root = h(
      "li",
      {},
      h("b", { class: "mono" }, router.id),
      h("span", { class: "mono" }, `dns ${router.dns}`),
      h("span", { class: "mono" }, `http ${router.http}`),
      epoch,
    );
    return { root, update: (now) => setText(epoch, `zone ${now.zone}, view ${now.epoch}`) };
  }
}
