// Every function: what serves where, and how busy it is.

import type { App, View } from "../app.ts";
import { h, Keyed, type Row, setAttribute, setText } from "../dom.ts";
import { count, rate } from "../format.ts";
import type { FunctionView } from "../model.ts";
import type { Change } from "../store.ts";
import { empty, functionUrl, link, loading } from "./parts.ts";

export class FunctionsView implements View {
  title = "Functions";
  root: HTMLElement;
  private body = h("tbody");
  private filter = h("input", {
    type: "search",
    placeholder: "Filter by name",
    "aria-label": "Filter by name",
    spellcheck: "false",
    oninput: () => this.update(new Set<Change>(["functions"])),
  });
  private tally = h("span", { class: "muted" });
  private table: HTMLElement;
  private place = h("div", {}, loading());
  private rows = new Keyed<FunctionView>(this.body, (item) => item.name, (item) => this.makeRow(item));

  constructor(private app: App) {
    this.table = h(
      "table",
      { class: "grid functions" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          ...["Function", "Version", "Nodes", "Answers/s", "Requests/s", "Hostname"].map((word, index) =>
            h("th", { scope: "col", class: ["", "", "", "num wide", "num", "wide"][index] }, word)
          ),
        ),
      ),
      this.body,
    );
    this.root = h("div", { class: "page" }, h("header", { class: "page-head" }, h("h1", {}, "Functions"), this.tally, this.filter), this.place);
  }

  show(): void {
    this.update(new Set<Change>(["functions", "nodes"]));
  }

  update(changes: Set<Change>): void {
    const { store } = this.app;
    if (!store.loaded || !(changes.has("functions") || changes.has("nodes") || changes.has("flows"))) return;
    const wanted = this.filter.value.trim().toLowerCase();
    const items = [...store.functions.values()].filter((item) => item.name.includes(wanted)).sort((a, b) => a.name < b.name ? -1 : 1);
    setText(this.tally, count(store.functions.size, "function"));
    this.rows.sync(items);
    const show = items.length ? this.table : null;
    if (show && this.place.firstElementChild !== show) this.place.replaceChildren(show);
    else if (!show) {
      this.place.replaceChildren(
        store.functions.size
          ? empty(`No function's name holds "${wanted}".`)
          : empty("No function is deployed yet.", "Deploy one with: nearhop deploy ./my-worker"),
      );
    }
  }

  leave(): void {}

  private makeRow(item: FunctionView): Row<FunctionView> {
    const version = h("td");
    const bar = h("i");
    const words = h("span", { class: "words" });
    const nodes = h("td", {}, h("span", { class: "bar", "aria-hidden": "true" }, bar), words);
    const answers = h("td", { class: "num wide" });
    const requests = h("td", { class: "num" });
    const hostname = h("td", { class: "mono wide muted" });
    const root = h(
      "tr",
      {},
      h("th", { scope: "row" }, link(this.app, functionUrl(item.name), { class: "mono" }, item.name)),
      version,
      nodes,
      answers,
      requests,
      hostname,
    );
    return {
      root,
      update: (now) => {
        const all = this.app.store.nodes.size;
        const flows = this.app.store.flows;
        setText(version, now.active_version ? `v${now.active_version}` : "—");
        const width = all ? `${Math.round(100 * now.serving / all)}%` : "0";
        if (bar.style.inlineSize !== width) bar.style.setProperty("inline-size", width);
        setAttribute(nodes, "class", now.refused ? "spread bad" : now.serving < all ? "spread partial" : "spread");
        setText(
          words,
          !now.active_version
            ? "not deployed"
            : [`${now.serving} of ${all}`, now.pending ? `${now.pending} pending` : "", now.refused ? `${now.refused} refused` : ""].filter(Boolean)
              .join(", "),
        );
        setText(answers, flows ? rate(flows.functions[now.name] ?? 0) : "—");
        setText(requests, rate(now.requests_per_s));
        setText(hostname, now.hostnames[0] ?? "");
      },
    };
  }
}
