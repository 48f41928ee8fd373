// One node: how it is, who is sent there, and what it serves.

import { DrainButton } from "../../actions.ts";
import { explain, read } from "../../api.ts";
import type { App } from "../../app.ts";
import { h, replace, setText } from "../../dom.ts";
import { count, country, rate } from "../../format.ts";
import { Badge, LoadBar } from "../../health.ts";
import { sourcesOf } from "../../map/traffic.ts";
import type { NodeDetail, NodeView } from "../../model.ts";
import type { Change } from "../../store.ts";
import { empty, fact, functionUrl, link, loading, nodeUrl } from "../parts.ts";
import type { Side } from "./side.ts";

const COUNTRIES_SHOWN = 6;
const VERSIONS_SHOWN = 12;

export class NodeSide implements Side {
  root = h("div", { class: "node-side" });
  private drawn = false;
  private badge = new Badge();
  private reason = h("p", { class: "sentence muted" });
  private load = new LoadBar();
  private requests = h("span", { class: "num" });
  private serves = h("span");
  private witnesses = h("ul", { class: "plain" });
  private sources = h("ul", { class: "bars" });
  private versions = h("ul", { class: "versions" });
  private versionsKey = "";
  private button: DrainButton;

  constructor(private app: App, private id: string) {
    this.button = new DrainButton(app);
    replace(this.root, loading());
  }

  update(changes: Set<Change>): void {
    const { store } = this.app;
    if (!store.loaded || !(changes.has("nodes") || changes.has("flows") || changes.has("link"))) return;
    const node = store.nodes.get(this.id);
    if (!node) {
      this.drawn = false;
      replace(this.root, empty(`There is no node "${this.id}".`), link(this.app, "/map", { class: "back" }, "All nodes"));
      return;
    }
    if (!this.drawn) this.draw(node);
    this.badge.set(node.health);
    setText(this.reason, node.health_reason);
    this.load.set(node.load_1m, node.cpus, node.connected);
    setText(this.requests, node.connected ? `${rate(node.requests_per_s)}/s` : "—");
    setText(this.serves, `${count(node.functions, "function")} in ${count(node.sandboxes, "sandbox", "sandboxes")}`);
    this.button.set(node);
    this.drawWitnesses(node);
    this.drawSources();
    void this.readVersions();
  }

  leave(): void {}

  private draw(node: NodeView): void {
    this.drawn = true;
    replace(
      this.root,
      link(this.app, "/map", { class: "back" }, "All nodes"),
      h("header", {}, h("h2", { class: "mono" }, node.id), this.badge.root),
      this.reason,
      h(
        "dl",
        { class: "facts" },
        fact("Region", node.region, node.site ? h("span", { class: "muted" }, ` · ${node.site}`) : null),
        fact("Load", this.load.root),
        fact("Requests", this.requests),
        fact("Serves", this.serves),
      ),
      h("h3", {}, "Witnesses"),
      this.witnesses,
      h("h3", {}, "Clients sent here"),
      this.sources,
      h("h3", {}, "Active versions"),
      this.versions,
      h("p", { class: "row" }, this.button.root, link(this.app, nodeUrl(node.id), { class: "button" }, "Details")),
    );
  }

  private drawWitnesses(node: NodeView): void {
    const words = [
      ["control plane", node.connected ? "connected" : "lease is gone", node.connected],
      ...node.witnesses.map((
        item,
      ) => [item.router, `${item.verdict}${item.verdict === "up" ? `, ${item.rtt_ms} ms` : `: ${item.reason}`}`, item.verdict !== "down"]),
    ] as [string, string, boolean][];
    if (this.witnesses.dataset.key === words.join()) return;
    this.witnesses.dataset.key = words.join();
    replace(
      this.witnesses,
      ...words.map(([who, what, well]) =>
        h("li", { class: well ? "" : "bad" }, h("span", { class: "mono" }, who), h("span", { class: "muted" }, what))
      ),
    );
  }

  // The stream tells how many functions a node serves; which ones is asked for when some deployment has moved.
  private async readVersions(): Promise<void> {
    const key = [...this.app.store.functions.values()].map((item) => `${item.name} ${item.active_version} ${item.serving}`).join();
    if (key === this.versionsKey) return;
    this.versionsKey = key;
    try {
      const { placements } = await read<NodeDetail>(`/api/nodes/${encodeURIComponent(this.id)}`);
      const active = placements.filter((item) => item.active_version);
      const more = active.length - VERSIONS_SHOWN;
      replace(
        this.versions,
        ...active.slice(0, VERSIONS_SHOWN).map((item) =>
          h(
            "li",
            {},
            link(this.app, functionUrl(item.function), { class: "mono" }, item.function),
            h("span", { class: "muted" }, ` v${item.active_version}`),
          )
        ),
        more > 0 ? h("li", { class: "muted" }, `and ${more} more`) : active.length ? null : h("li", { class: "muted" }, "None."),
      );
    } catch (error) {
      this.versionsKey = "";
      replace(this.versions, h("li", { class: "muted" }, explain(error)));
    }
  }

  private drawSources(): void {
    const { flows } = this.app.store;
    const own = sourcesOf(this.id, flows, COUNTRIES_SHOWN);
    if (!own.length) {
      replace(this.sources, h("li", { class: "muted" }, flows ? "None within the last seconds." : "Not known."));
      return;
    }
    replace(
      this.sources,
      ...own.map(([alpha2, perSecond]) => {
        const bar = h("i");
        bar.style.setProperty("inline-size", `${Math.round(100 * perSecond / own[0][1])}%`);
        return h(
          "li",
          {},
          h("span", {}, country(alpha2)),
          h("span", { class: "bar", "aria-hidden": "true" }, bar),
          h("span", { class: "num" }, `${rate(perSecond)}/s`),
        );
      }),
    );
  }
}
