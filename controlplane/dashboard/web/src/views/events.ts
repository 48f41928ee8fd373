// What happened, newest first; older ones on demand. /events?kind=KIND shows one kind.

import { explain, read } from "../api.ts";
import type { App, View } from "../app.ts";
import { h, Keyed, setText } from "../dom.ts";
import type { FleetEvent } from "../model.ts";
import type { Change } from "../store.ts";
import { empty, eventRow, kindWord, loading } from "./parts.ts";

const KINDS = [
  "deploy_started",
  "deploy_complete",
  "deploy_failed",
  "rollback",
  "node_joined",
  "node_connected",
  "node_lost",
  "health_changed",
  "node_drained",
  "node_uncordoned",
  "function_deleted",
];

export class EventsView implements View {
  title = "Events";
  root: HTMLElement;
  private list = h("ol", { class: "events" });
  private rows = new Keyed<FleetEvent>(this.list, (event) => event.id, (event) => eventRow(this.app, event));
  private place = h("div", {}, loading());
  private more = h("button", { type: "button", class: "button", onclick: () => void this.older() }, "Show older ones");
  private kinds: HTMLSelectElement;
  private kind = "";
  private past: FleetEvent[] = [];
  private moreThanPast: boolean | null = null; // null until older ones were asked for

  constructor(private app: App) {
    this.kinds = h(
      "select",
      { "aria-label": "Kind", onchange: () => app.go(this.kinds.value ? `/events?kind=${this.kinds.value}` : "/events") },
      h("option", { value: "" }, "all kinds"),
      ...KINDS.map((kind) => h("option", { value: kind }, kindWord(kind))),
    );
    this.more.hidden = true;
    this.root = h("div", { class: "page" }, h("header", { class: "page-head" }, h("h1", {}, "Events"), this.kinds), this.place, this.more);
  }

  show(url: URL): void {
    this.kind = url.searchParams.get("kind") ?? "";
    this.kinds.value = this.kind;
    this.update(new Set<Change>(["events"]));
  }

  update(changes: Set<Change>): void {
    const { store } = this.app;
    if (!store.loaded || !(changes.has("events") || changes.has("tick") || changes.has("link"))) return;
    const all = this.all();
    const shown = this.kind ? all.filter((event) => event.kind === this.kind) : all;
    if (shown.length) {
      this.rows.sync(shown);
      if (this.place.firstElementChild !== this.list) this.place.replaceChildren(this.list);
    } else if (changes.has("events") || changes.has("link")) {
      this.place.replaceChildren(
        store.link && !store.link.offers.events ? empty("This control plane tells no events.") : empty(
          this.kind ? `No event of the kind "${kindWord(this.kind)}" is known.` : "Nothing has happened yet.",
          "Deploys, joins and changes of health appear here.",
        ),
      );
    }
    this.more.hidden = !(this.moreThanPast ?? store.moreEvents);
  }

  leave(): void {}

  private all(): FleetEvent[] {
    const live = this.app.store.events;
    const known = new Set(live.map((event) => event.id));
    return [...live, ...this.past.filter((event) => !known.has(event.id))];
  }

  private async older(): Promise<void> {
    const last = this.all().at(-1);
    if (!last) return;
    this.more.disabled = true;
    try {
      const page = await read<{ events: FleetEvent[]; more: boolean }>("/api/events", { before: last.id });
      this.past.push(...page.events);
      this.moreThanPast = page.more;
    } catch (error) {
      this.app.tell(explain(error), "bad");
    } finally {
      this.more.disabled = false;
      setText(this.more, "Show older ones");
      this.update(new Set<Change>(["events"]));
    }
  }
}
