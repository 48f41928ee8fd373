// The map with its search and its figures, and beside it the fleet at a glance, one node, or one decision.
// URLs: /map, /map?node=ID, /map?ip=ADDRESS, /map?at=LATITUDE,LONGITUDE[&country=XX][&label=NAME], each with &function=NAME.

import type { App, View } from "../app.ts";
import { h, replace, s, setText } from "../dom.ts";
import { rate } from "../format.ts";
import { badge, ORDER, SHAPES, WORDS } from "../health.ts";
import { mapUrl, searchWords } from "../map/query.ts";
import { answersPerSecond, whyQuiet } from "../map/traffic.ts";
import { WorldMap } from "../map/world.ts";
import type { Change } from "../store.ts";
import { Search } from "./search.ts";
import { DecisionSide } from "./sides/decision.ts";
import { FleetSide } from "./sides/fleet.ts";
import { NodeSide } from "./sides/node.ts";
import type { Side } from "./sides/side.ts";

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
    this.search.set(searchWords(query));
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

  private with(parameters: Record<string, string>): string {
    return mapUrl(this.url.searchParams, parameters);
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
    const answers = answersPerSecond(store.flows);
    setText(this.figure.answers, answers === null ? "—" : rate(answers));
    setText(this.figure.requests, unknown ? "—" : rate(nodes.reduce((sum, node) => sum + node.requests_per_s, 0)));
    setText(this.figure.functions, unknown ? "—" : String(store.functions.size));
    const sentence = whyQuiet(store);
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
