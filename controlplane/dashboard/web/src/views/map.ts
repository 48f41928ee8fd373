// The map and what stands beside it: the fleet at a glance, one node, or one decision.
// URLs: /map, /map?node=ID, /map?ip=ADDRESS, /map?at=LATITUDE,LONGITUDE[&country=XX][&label=NAME], each with &function=NAME.

import { DrainButton } from "../actions.ts";
import { explain, read } from "../api.ts";
import type { App, View } from "../app.ts";
import { h, Keyed, replace, type Row, s, setText } from "../dom.ts";
import { count, country, degrees, kilometres, rate } from "../format.ts";
import { Badge, badge, LoadBar, ORDER, SHAPES, WORDS } from "../health.ts";
import { WorldMap } from "../map/world.ts";
import type { Decision, NodeDetail, NodeView } from "../model.ts";
import type { Change } from "../store.ts";
import { empty, fact, failure, functionUrl, link, loading, nodeUrl } from "./parts.ts";
import { Search } from "./search.ts";

const COUNTRIES_SHOWN = 6;
const VERSIONS_SHOWN = 12;

export class MapView implements View {
  title = "Map";
  root: HTMLElement;
  private map: WorldMap;
  private search: Search;
  private panel = h("div", { class: "panel-body" });
  private figures = h("dl", { class: "figures" });
  private note = h("p", { class: "map-note", hidden: true });
  private scaleWord = h("span", { class: "num" });
  private scale = h(
    "li",
    { hidden: true },
    s("svg", { viewBox: "0 0 26 8", class: "scale", "aria-hidden": "true" }, s("path", { d: "M0,4H26" })),
    this.scaleWord,
  );
  private functionSelect = h("select", { "aria-label": "Function", onchange: () => this.chooseFunction() });
  private functionNames = "";
  private side: Side;
  private figure = { answers: h("dd", { class: "num" }), nodes: h("dd"), functions: h("dd", { class: "num" }), requests: h("dd", { class: "num" }) };
  private url = new URL(location.href);

  constructor(private app: App) {
    this.side = new FleetSide(app);
    this.map = new WorldMap(app.places);
    this.map.onPick = (latitude, longitude) => this.ask({ at: `${latitude.toFixed(3)},${longitude.toFixed(3)}` });
    this.map.onSelect = (node) => app.go(this.with({ node }));
    this.search = new Search(app.places);
    this.search.onTarget = (target) => {
      if (target.kind === "ip") this.ask({ ip: target.ip });
      else this.ask({ at: `${target.latitude},${target.longitude}`, country: target.country, label: target.label });
    };
    replace(
      this.figures,
      h("div", {}, h("dt", {}, "Nodes"), this.figure.nodes),
      h("div", {}, h("dt", {}, "Answers/s"), this.figure.answers),
      h("div", {}, h("dt", {}, "Requests/s"), this.figure.requests),
      h("div", {}, h("dt", {}, "Functions"), this.figure.functions),
    );
    this.root = h(
      "div",
      { class: "map-view" },
      h(
        "section",
        { class: "map-stage", "aria-label": "Map" },
        this.figures,
        this.map.root,
        this.note,
        this.zoomButtons(),
        this.legend(),
      ),
      h(
        "aside",
        { class: "panel", "aria-label": "Details" },
        h(
          "div",
          { class: "panel-head" },
          this.search.root,
          h("label", { class: "for-function" }, h("span", { class: "muted" }, "for"), this.functionSelect),
        ),
        this.panel,
      ),
    );
    void this.map.load();
  }

  show(url: URL): void {
    this.url = url;
    const query = url.searchParams;
    const node = query.get("node") ?? "";
    this.side.leave();
    if (query.has("ip") || query.has("at")) {
      this.side = new DecisionSide(this.app, query, (decision) => this.map.setDecision(decision), () => this.with({}));
    } else if (node) this.side = new NodeSide(this.app, node);
    else this.side = new FleetSide(this.app);
    if (!(this.side instanceof DecisionSide)) this.map.setDecision(null);
    this.map.select(node);
    this.search.set(query.get("label") ?? query.get("ip") ?? (query.get("at") ? pointWords(query.get("at") ?? "") : ""));
    replace(this.panel, this.side.root);
    this.update(new Set<Change>(["nodes", "functions", "flows", "link"]));
  }

  update(changes: Set<Change>): void {
    const { store } = this.app;
    if (changes.has("nodes")) this.map.setNodes([...store.nodes.values()].sort((a, b) => a.id < b.id ? -1 : 1));
    if (changes.has("flows") || changes.has("nodes")) this.map.setFlows(store.flows);
    if (changes.has("functions")) this.fillFunctions();
    if (changes.has("flows") || changes.has("nodes") || changes.has("functions") || changes.has("link")) this.drawFigures();
    setText(this.scaleWord, `${this.map.scaleRate.toLocaleString("en")}/s`);
    this.scale.hidden = !store.flows?.flows.length;
    this.side.update(changes);
  }

  leave(): void {
    this.side.leave();
  }

  focusSearch(): void {
    this.search.focus();
  }

  private ask(target: Record<string, string>): void {
    this.app.go(this.with(target));
  }

  // The map's URL with other parameters; the function stays.
  private with(parameters: Record<string, string>): string {
    const kept = this.url.searchParams.get("function");
    const all = Object.entries({ ...parameters, ...(kept ? { function: kept } : {}) }).filter(([, value]) => value);
    const search = new URLSearchParams(all).toString().replaceAll("%2C", ",");
    return search ? `/map?${search}` : "/map";
  }

  private chooseFunction(): void {
    const url = new URL(this.url);
    if (this.functionSelect.value) url.searchParams.set("function", this.functionSelect.value);
    else url.searchParams.delete("function");
    this.app.go(url.pathname + url.search);
  }

  private fillFunctions(): void {
    const names = [...this.app.store.functions.keys()].sort();
    const key = names.join();
    if (key !== this.functionNames) {
      this.functionNames = key;
      this.functionSelect.replaceChildren(h("option", { value: "" }, "any function"), ...names.map((name) => h("option", { value: name }, name)));
    }
    this.functionSelect.value = this.url.searchParams.get("function") ?? "";
  }

  private drawFigures(): void {
    const { store } = this.app;
    const unknown = !store.loaded;
    const nodes = [...store.nodes.values()];
    const parts = ORDER.map((health) => [health, nodes.filter((node) => node.health === health).length] as const).filter(([, many]) => many);
    const key = parts.join();
    if (this.figure.nodes.dataset.key !== key || unknown) {
      this.figure.nodes.dataset.key = key;
      replace(
        this.figure.nodes,
        ...(parts.length
          ? parts.map(([health, many]) =>
            h("span", { class: "tally", title: `${many} ${WORDS[health]}` }, h("span", { class: "num" }, many), badge(health))
          )
          : [unknown ? "—" : "0"]),
      );
    }
    const answers = store.flows ? store.flows.flows.reduce((sum, flow) => sum + flow[2], store.flows.other_answers_per_s) : null;
    setText(this.figure.answers, answers === null ? "—" : rate(answers));
    setText(this.figure.requests, unknown ? "—" : rate(nodes.reduce((sum, node) => sum + node.requests_per_s, 0)));
    setText(this.figure.functions, unknown ? "—" : String(store.functions.size));
    const sentence = !store.loaded
      ? ""
      : !nodes.length
      ? "No node has joined yet."
      : store.link && !store.link.offers.flows
      ? "This control plane tells no routing flows."
      : store.flows && answers === 0
      ? "No client has asked within the last seconds."
      : "";
    setText(this.note, sentence);
    this.note.hidden = !sentence;
  }

  private zoomButtons(): HTMLElement {
    const button = (word: string, name: string, press: () => void) =>
      h("button", { type: "button", class: "button square", "aria-label": name, title: name, onclick: press }, word);
    return h(
      "div",
      { class: "zoom" },
      button("+", "Zoom in", () => this.map.zoom(1.6)),
      button("−", "Zoom out", () => this.map.zoom(1 / 1.6)),
      button("⤢", "Show the whole world", () => this.map.resetZoom()),
    );
  }

  private legend(): HTMLElement {
    const shapes = ORDER.slice(0, 4).map((health) =>
      h(
        "li",
        { class: `health ${health}` },
        s("svg", { viewBox: "-7 -7 14 14", "aria-hidden": "true" }, s("path", { d: SHAPES[health] })),
        WORDS[health],
      )
    );
    return h(
      "footer",
      { class: "legend" },
      h("ul", { "aria-label": "Legend" }, ...shapes, this.scale),
      h("p", { class: "credit" }, "Locations: DB-IP, CC BY 4.0 · Cities: GeoNames, CC BY 4.0 · Map: Natural Earth"),
    );
  }
}

interface Side {
  root: HTMLElement;
  update(changes: Set<Change>): void;
  leave(): void;
}

// Every node as a list: the map for those who do not see it, and the quickest way to one.
class FleetSide implements Side {
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
    const answers = new Map<string, number>();
    for (const [, node, perSecond] of store.flows?.flows ?? []) answers.set(node, (answers.get(node) ?? 0) + perSecond);
    const items = [...store.nodes.values()].map((node): [NodeView, number] => [node, answers.get(node.id) ?? 0]);
    // By tens of answers, so that rows do not change places with every breath of the traffic.
    items.sort(([a, x], [b, y]) => Math.round(y / 10) - Math.round(x / 10) || (a.id < b.id ? -1 : 1));
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

class NodeSide implements Side {
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
    const own = (flows?.flows ?? []).filter(([, node]) => node === this.id).slice(0, COUNTRIES_SHOWN);
    if (!own.length) {
      replace(this.sources, h("li", { class: "muted" }, flows ? "None within the last seconds." : "Not known."));
      return;
    }
    replace(
      this.sources,
      ...own.map(([alpha2, , perSecond]) => {
        const bar = h("i");
        bar.style.setProperty("inline-size", `${Math.round(100 * perSecond / own[0][2])}%`);
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

class DecisionSide implements Side {
  root = h("div", { class: "decision-side", "aria-live": "polite" }, loading());
  private asked = 0;
  private healthKey = "";
  private decision: Decision | null = null;
  private left = false;

  constructor(private app: App, private query: URLSearchParams, private draw: (decision: Decision | null) => void, private home: () => string) {
    void this.ask();
  }

  // A node that changed its state may change the decision: ask again.
  update(changes: Set<Change>): void {
    if (!changes.has("nodes")) return;
    const key = [...this.app.store.nodes.values()].map((node) => `${node.id} ${node.health}`).join();
    if (key === this.healthKey) return;
    if (this.healthKey) void this.ask();
    else if (this.decision) this.render(this.decision);
    this.healthKey = key;
  }

  leave(): void {
    this.left = true;
  }

  private async ask(): Promise<void> {
    const turn = ++this.asked;
    try {
      const decision = await read<Decision>("/api/explain", this.parameters());
      if (this.left || turn !== this.asked) return;
      this.decision = decision;
      this.render(decision);
      this.draw(decision);
    } catch (error) {
      if (this.left || turn !== this.asked) return;
      this.draw(null);
      replace(this.root, failure(explain(error), () => void this.ask()), link(this.app, this.home(), { class: "back" }, "All nodes"));
    }
  }

  private parameters(): Record<string, string> {
    const parameters: Record<string, string> = {};
    const ip = this.query.get("ip");
    const [latitude, longitude] = (this.query.get("at") ?? "").split(",");
    if (ip !== null) parameters.ip = ip;
    else Object.assign(parameters, { latitude, longitude: longitude ?? "" });
    for (const name of ["country", "function"]) {
      const value = this.query.get(name);
      if (value) parameters[name] = value;
    }
    return parameters;
  }

  private render(decision: Decision): void {
    const chosen = decision.candidates.filter((candidate) => candidate.chosen);
    replace(
      this.root,
      link(this.app, this.home(), { class: "back" }, "All nodes"),
      h("h2", {}, this.heading(decision)),
      h("p", { class: "muted" }, this.place(decision)),
      chosen.length
        ? h(
          "p",
          { class: "verdict" },
          "goes to ",
          ...chosen.map((candidate) => link(this.app, nodeUrl(candidate.node), { class: "mono" }, candidate.node)),
        )
        : h("p", { class: "verdict none" }, "has nowhere to go"),
      h("p", { class: "reason" }, decision.reason),
      h(
        "dl",
        { class: "facts" },
        fact("Answer", h("span", { class: "mono" }, decision.answers.join(", ") || "none")),
        fact("TTL", `${decision.ttl_s} s`),
        fact("ECS scope", `/${decision.scope_prefix_length}`),
      ),
      h("h3", {}, "Candidates, best first"),
      h("ol", { class: "candidates" }, ...decision.candidates.map((candidate) => this.candidate(candidate))),
    );
  }

  private candidate(candidate: Decision["candidates"][number]): HTMLElement {
    const health = this.app.store.nodes.get(candidate.node)?.health ?? "unspecified";
    const kind = candidate.chosen ? "chosen" : candidate.eligible ? "" : "barred";
    const row = h(
      "li",
      { class: kind },
      new Badge(true).set(health).root,
      h(
        "span",
        { class: "who" },
        link(this.app, nodeUrl(candidate.node), { class: "mono" }, candidate.node),
        h("span", { class: "muted" }, candidate.reason),
      ),
      h("span", { class: "num" }, kilometres(candidate.distance_km)),
    );
    row.dataset.node = candidate.node;
    return row;
  }

  private heading({ client }: Decision): string {
    return this.query.get("label") ?? (client.ip ? `A client at ${client.ip}` : "A client here");
  }

  private place({ client }: Decision): string {
    const where = client.latitude !== null && client.longitude !== null ? degrees(client.latitude, client.longitude) : "";
    if (client.source === "given") return [client.country ? country(client.country) : "", where].filter(Boolean).join(" · ");
    if (client.source === "none") return "The database does not know this address";
    const network = client.network ? `known as ${client.network}` : "";
    return [client.city, client.country ? country(client.country) : "", where, network].filter(Boolean).join(" · ");
  }
}

function pointWords(at: string): string {
  const [latitude, longitude] = at.split(",").map(Number);
  return Number.isFinite(latitude) && Number.isFinite(longitude) ? degrees(latitude, longitude) : at;
}
