// Every node as a list: the map for those who do not see it, and the quickest way to one.

import type { App } from "../../app.ts";
import { h, Keyed, type Row, setText } from "../../dom.ts";
import { rate } from "../../format.ts";
import { Badge, LoadBar } from "../../health.ts";
import { busiestFirst } from "../../map/traffic.ts";
import type { NodeView } from "../../model.ts";
import type { Change } from "../../store.ts";
import { empty, link, loading } from "../parts.ts";
import type { Side } from "./side.ts";

export class FleetSide implements Side {
  root: HTMLElement;
  private list = h("ul", { class: "node-list" });
  private wait = loading();
  private rows = new Keyed<[NodeView, number]>(this.list, ([node]) => node.id, ([node]) => this.makeRow(node));

  constructor(private app: App) {
    this.root = h("div", {}, h("h2", {}, "Nodes by answers"), this.wait, this.list);
  }

  update(changes: Set<Change>): void {
    const { store } = this.app;
    if (!store.loaded) return;
    this.wait.hidden = true;
    if (!changes.has("nodes") && !changes.has("flows")) return;
    const items = busiestFirst(store.nodes.values(), store.flows);
    this.rows.sync(items);
    const missing = this.root.querySelector(".empty.none");
    if (!items.length && !missing) {
      const told = empty("No node has joined yet.", "Start one with: nearhop node join");
      told.classList.add("none");
      this.root.append(told);
    } else if (items.length) missing?.remove();
  }

  leave(): void {}

  private makeRow(node: NodeView): Row<[NodeView, number]> {
    const health = new Badge(true);
    const load = new LoadBar();
    const answers = h("span", { class: "num figure" });
    const root = h(
      "li",
      {},
      link(
        this.app,
        `/map?node=${encodeURIComponent(node.id)}`,
        { class: "node-row" },
        health.root,
        h("span", { class: "who" }, h("b", { class: "mono" }, node.id), h("span", { class: "muted" }, node.region)),
        load.root,
        answers,
      ),
    );
    return {
      root,
      update: ([item, perSecond]) => {
        health.set(item.health);
        load.set(item.load_1m, item.cpus, item.connected);
        setText(answers, this.app.store.flows ? `${rate(perSecond)}/s` : "—");
      },
    };
  }
}
