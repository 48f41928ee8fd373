// The world map: land, flows of answers, nodes, and one decision. It draws what it is given and tells what was pressed.

import { h, Keyed, type Row, s, setAttribute, setText } from "../dom.ts";
import { kilometres } from "../format.ts";
import { known, SHAPES, WORDS } from "../health.ts";
import type { Decision, Flows, NodeView } from "../model.ts";
import type { Places } from "../places.ts";
import { arc, fitLabels, Frame, loadShapes, type Point, type Shapes, spread } from "./geometry.ts";
import { niceCeiling } from "./scale.ts";

const FLOWS_DRAWN = 150;
const FLOWS_MOVING = 24; // each moving line is painted again and again
const MOVE_MS = 66; // a CSS animation would paint at the screen's rate: four times the work for dots this slow
const DASH_PX = 15.1; // as in the style sheet
const PIN_GAP = 23;
const LABEL_CHAR_PX = 7.1;
const NARROW_PX = 560; // below it pins are smaller, or they would cover continents
const NARROW_SCALE = 0.74;
const CLICK_SLACK_PX = 4;
const CANDIDATES_DRAWN = 6;

interface FlowLine {
  key: string;
  from: Point;
  to: Point;
  width: number;
  share: number;
}

// Where a node is, where its pin has room, and on which side its label fits.
interface Spot {
  place: Point;
  at: Point;
  label: "start" | "end" | null;
}

interface Pin extends Spot {
  node: NodeView;
}

export class WorldMap {
  onPick: (latitude: number, longitude: number) => void = () => {};
  onSelect: (node: string) => void = () => {};
  root: HTMLElement;
  scaleRate = 1; // answers per second of the widest line
  private frame = new Frame();
  private shapes: Shapes | null = null;
  private nodes: NodeView[] = [];
  private flows: Flows | null = null;
  private decision: Decision | null = null;
  private selected = "";
  private pins = new Map<string, Spot>();
  private placesKey = "";
  private laidOut = false;
  private travelled = 0;
  private scale = 1;
  private sphere = s("path", { class: "sphere" });
  private graticule = s("path", { class: "graticule" });
  private land = s("path", { class: "land" });
  private borders = s("path", { class: "borders" });
  private world = s("g", { "aria-hidden": "true" }, this.sphere, this.graticule, this.land, this.borders);
  private flowLayer = s("g", { class: "flows", "aria-hidden": "true" });
  private decisionLayer = s("g", { class: "decision", "aria-hidden": "true" });
  private movingLayer = s("g", { class: "moving", "aria-hidden": "true" });
  private pinLayer = s("g", { class: "pins" });
  private sheets: SVGSVGElement[];
  private flowRows = new Keyed<FlowLine>(this.flowLayer, (flow) => flow.key, makeFlow);
  private movingRows = new Keyed<FlowLine>(this.movingLayer, (flow) => flow.key, makeMoving);
  private pinRows = new Keyed<Pin>(this.pinLayer, (pin) => pin.node.id, (pin) => this.makePin(pin));

  constructor(private places: Places) {
    // Sheets apart: only the moving one is painted all the time, and it is nearly empty.
    this.sheets = [[this.world], [this.flowLayer], [this.movingLayer], [this.decisionLayer, this.pinLayer]].map((layers) => s("svg", {}, ...layers));
    this.root = h(
      "div",
      { class: "world", role: "group", "aria-label": "World map of nodes and of where clients are sent", tabindex: 0 },
      ...this.sheets,
    );
    this.listen();
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) setInterval(() => this.move(), MOVE_MS);
    new ResizeObserver(([entry]) => this.resize(entry.contentRect.width, entry.contentRect.height)).observe(this.root);
  }

  async load(): Promise<void> {
    this.shapes = await loadShapes();
    this.outline();
  }

  setNodes(nodes: NodeView[]): void {
    this.nodes = nodes;
    const key = nodes.map((node) => `${node.id} ${node.latitude} ${node.longitude}`).join();
    const moved = key !== this.placesKey;
    this.placesKey = key;
    if (moved && this.frame.width) this.fit(this.frame.width, this.frame.height);
    else this.drawPins();
  }

  setFlows(flows: Flows | null): void {
    this.flows = flows;
    this.drawFlows();
  }

  setDecision(decision: Decision | null): void {
    this.decision = decision;
    this.drawDecision();
  }

  select(node: string): void {
    this.selected = node;
    this.drawPins();
    this.drawFlows();
  }

  zoom(factor: number): void {
    this.frame.zoomBy(factor, [this.frame.width / 2, this.frame.height / 2]);
    this.redraw();
  }

  resetZoom(): void {
    this.frame.reset();
    this.redraw();
  }

  private move(): void {
    if (document.hidden || !this.root.isConnected || !this.movingLayer.firstChild) return;
    this.travelled = (this.travelled + 0.9) % DASH_PX;
    // The lines inherit it.
    this.movingLayer.style.setProperty("stroke-dashoffset", String(-this.travelled));
  }

  private resize(width: number, height: number): void {
    if (width < 40 || height < 40) return;
    for (const sheet of this.sheets) setAttribute(sheet, "viewBox", `0 0 ${width} ${height}`);
    this.fit(width, height);
  }

  private fit(width: number, height: number): void {
    this.frame.resize(width, height, this.nodes.map((node) => [node.longitude, node.latitude]));
    this.outline();
    this.redraw();
  }

  private outline(): void {
    if (!this.shapes || !this.frame.width) return;
    const drawn = this.frame.outlines(this.shapes);
    setAttribute(this.sphere, "d", drawn.sphere);
    setAttribute(this.graticule, "d", drawn.graticule);
    setAttribute(this.land, "d", drawn.land);
    setAttribute(this.borders, "d", drawn.borders);
  }

  private redraw(): void {
    setAttribute(this.world, "transform", this.frame.transform);
    setAttribute(this.root, "class", this.frame.zoom > 1 ? "world zoomed" : "world");
    this.laidOut = false;
    this.drawPins();
    this.drawFlows();
    this.drawDecision();
  }

  private drawPins(): void {
    if (!this.frame.width) return;
    this.layout();
    this.pinRows.sync(this.nodes.flatMap((node) => {
      const spot = this.pins.get(node.id);
      return spot ? [{ node, ...spot }] : [];
    }));
  }

  private layout(): void {
    if (this.laidOut) return;
    this.laidOut = true;
    const places = this.nodes.map((node) => this.frame.place(node.longitude, node.latitude));
    this.scale = this.frame.width < NARROW_PX ? NARROW_SCALE : 1;
    const spots = spread(places, PIN_GAP * this.scale);
    const labels = this.nodes.map((node, index) => ({ at: spots[index], width: node.id.length * LABEL_CHAR_PX }));
    const sides = fitLabels(labels, spots, this.frame.width);
    this.pins = new Map(this.nodes.map((node, index) => [node.id, { place: places[index], at: spots[index], label: sides[index] }]));
  }

  private drawFlows(): void {
    if (!this.frame.width) return;
    const lines: FlowLine[] = [];
    const seen = (this.flows?.flows ?? []).filter(([, node]) => !this.selected || node === this.selected);
    this.scaleRate = niceCeiling(Math.max(1, ...(this.flows?.flows ?? []).slice(0, 1).map(([, , perSecond]) => perSecond)));
    for (const [alpha2, node, perSecond] of seen) {
      const middle = this.places.middle(alpha2);
      const to = this.pins.get(node)?.at;
      if (!middle || !to || perSecond <= 0) continue;
      const share = Math.min(1, perSecond / this.scaleRate);
      lines.push({
        key: `${alpha2} ${node}`,
        from: this.frame.place(...middle),
        to,
        width: Math.max(0.8, 6 * Math.sqrt(share)),
        share,
      });
      if (lines.length === FLOWS_DRAWN) break;
    }
    this.flowRows.sync(lines);
    this.movingRows.sync(lines.slice(0, FLOWS_MOVING));
  }

  private drawDecision(): void {
    this.decisionLayer.replaceChildren();
    setAttribute(this.root, "data-decided", this.decision !== null);
    const client = this.decision?.client;
    if (!this.frame.width || !this.decision || client?.latitude == null || client.longitude == null) return;
    const from = this.frame.place(client.longitude, client.latitude);
    for (const candidate of this.decision.candidates.slice(0, CANDIDATES_DRAWN).reverse()) {
      const to = this.pins.get(candidate.node)?.at;
      if (!to) continue;
      const kind = candidate.chosen ? "chosen" : candidate.eligible ? "other" : "barred";
      this.decisionLayer.append(s("path", { class: kind, d: arc(from, to) }));
      if (!candidate.chosen) continue;
      const [x, y] = [(from[0] + to[0]) / 2, Math.min(from[1], to[1]) - 14];
      if (Math.hypot(from[0] - to[0], from[1] - to[1]) > 90) {
        this.decisionLayer.append(s("text", { class: "distance", x, y, "text-anchor": "middle" }, kilometres(candidate.distance_km)));
      }
    }
    const [x, y] = from;
    this.decisionLayer.append(
      s("circle", { class: "halo", cx: x, cy: y, r: 9 }),
      s("path", { class: "client", d: `M${x - 12},${y}h8M${x + 4},${y}h8M${x},${y - 12}v8M${x},${y + 4}v8` }),
      s("circle", { class: "client", cx: x, cy: y, r: 2.2 }),
    );
  }

  private makePin({ node }: Pin): Row<Pin> {
    const ring = s("circle", { class: "ring", r: 10, pathLength: 100, transform: "rotate(-90)" });
    const shape = s("path", { class: "shape" });
    const label = s("text", { class: "label", y: 4 }, node.id);
    const tether = s("path", { class: "tether" });
    const title = s("title");
    const root = s(
      "g",
      {
        class: "pin",
        tabindex: 0,
        role: "button",
        onclick: (event) => {
          event.stopPropagation();
          this.onSelect(node.id);
        },
        onkeydown: (event) => {
          const { key } = event as KeyboardEvent;
          if (key !== "Enter" && key !== " ") return;
          event.preventDefault();
          this.onSelect(node.id);
        },
      },
      title,
      tether,
      s("circle", { class: "disc", r: 10 }),
      ring,
      shape,
      label,
    );
    setAttribute(root, "data-node", node.id);
    return {
      root,
      update: (pin) => {
        const health = known(pin.node.health);
        const load = pin.node.connected && pin.node.cpus ? Math.min(100, (100 * pin.node.load_1m) / pin.node.cpus) : 0;
        setAttribute(root, "class", `pin health ${health}${pin.node.id === this.selected ? " selected" : ""}${pin.label ? "" : " unlabelled"}`);
        setAttribute(root, "transform", `translate(${pin.at[0].toFixed(1)} ${pin.at[1].toFixed(1)}) scale(${this.scale})`);
        setAttribute(root, "data-health", health);
        const [dx, dy] = [(pin.place[0] - pin.at[0]) / this.scale, (pin.place[1] - pin.at[1]) / this.scale];
        setAttribute(tether, "d", Math.hypot(dx, dy) > 2 ? `M0,0L${dx.toFixed(1)},${dy.toFixed(1)}` : "");
        setAttribute(ring, "stroke-dasharray", `${load.toFixed(0)} 100`);
        setAttribute(shape, "d", SHAPES[health]);
        setAttribute(label, "x", pin.label === "end" ? -15 : 15);
        setAttribute(label, "text-anchor", pin.label ?? "start");
        const words = `${pin.node.id}, region ${pin.node.region}: ${WORDS[health]}, load ${load.toFixed(0)} %`;
        setAttribute(root, "aria-label", words);
        setText(title, words);
      },
    };
  }

  private listen(): void {
    const pointers = new Map<number, Point>();
    let travelled = 0;
    const at = (event: PointerEvent | WheelEvent): Point => {
      const box = this.root.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    this.root.addEventListener("pointerdown", (event) => {
      if (pointers.size === 0) travelled = 0;
      pointers.set(event.pointerId, at(event));
    });
    this.root.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) return;
      const now = at(event);
      const other = [...pointers.entries()].find(([id]) => id !== event.pointerId)?.[1];
      if (other) {
        const ratio = Math.hypot(now[0] - other[0], now[1] - other[1]) / Math.max(1, Math.hypot(before[0] - other[0], before[1] - other[1]));
        this.frame.zoomBy(ratio, [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2]);
        travelled = Infinity;
      } else {
        travelled += Math.hypot(now[0] - before[0], now[1] - before[1]);
        if (travelled <= CLICK_SLACK_PX) return;
        this.frame.panBy(now[0] - before[0], now[1] - before[1]);
      }
      pointers.set(event.pointerId, now);
      if (!this.root.hasPointerCapture(event.pointerId)) this.root.setPointerCapture(event.pointerId);
      this.redraw();
    });
    for (const end of ["pointerup", "pointercancel"] as const) {
      this.root.addEventListener(end, (event) => pointers.delete(event.pointerId));
    }
    this.root.addEventListener("click", (event) => {
      if (travelled > CLICK_SLACK_PX) return;
      const box = this.root.getBoundingClientRect();
      const found = this.frame.locate([event.clientX - box.left, event.clientY - box.top]);
      if (found) this.onPick(found[1], found[0]);
    });
    this.root.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.frame.zoomBy(Math.exp(-event.deltaY / 400), at(event));
      this.redraw();
    }, { passive: false });
    this.root.addEventListener("keydown", (event) => this.key(event));
  }

  private key(event: KeyboardEvent): void {
    const step = 60;
    const moves: Record<string, () => void> = {
      "+": () => this.zoom(1.4),
      "=": () => this.zoom(1.4),
      "-": () => this.zoom(1 / 1.4),
      "0": () => this.resetZoom(),
      ArrowLeft: () => this.pan(step, 0),
      ArrowRight: () => this.pan(-step, 0),
      ArrowUp: () => this.pan(0, step),
      ArrowDown: () => this.pan(0, -step),
    };
    const move = moves[event.key];
    if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    move();
  }

  private pan(dx: number, dy: number): void {
    this.frame.panBy(dx, dy);
    this.redraw();
  }
}

function makeFlow(): Row<FlowLine> {
  const line = s("path", { class: "line" });
  const source = s("circle", { class: "source" });
  const root = s("g", { class: "flow" }, line, source);
  return {
    root,
    update: (flow) => {
      setAttribute(root, "data-flow", flow.key);
      setAttribute(line, "d", arc(flow.from, flow.to));
      setAttribute(line, "stroke-width", flow.width.toFixed(1));
      setAttribute(line, "stroke-opacity", (0.28 + 0.42 * flow.share).toFixed(2));
      setAttribute(source, "cx", flow.from[0].toFixed(1));
      setAttribute(source, "cy", flow.from[1].toFixed(1));
      setAttribute(source, "r", (1.6 + 2 * Math.sqrt(flow.share)).toFixed(1));
    },
  };
}

function makeMoving(): Row<FlowLine> {
  const root = s("path");
  return {
    root,
    update: (flow) => {
      setAttribute(root, "d", arc(flow.from, flow.to));
      setAttribute(root, "stroke-width", Math.max(1.4, flow.width * 0.62).toFixed(1));
    },
  };
}
