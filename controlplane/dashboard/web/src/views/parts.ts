// Pieces that several views show.

import type { App } from "../app.ts";
import { type Child, h, setText } from "../dom.ts";
import { ago, clock, stamp } from "../format.ts";
import type { FleetEvent } from "../model.ts";
import type { Row } from "../dom.ts";

// A link that the page follows itself; with a modifier key the browser does.
export function link(app: App, url: string, props: Record<string, string> = {}, ...children: Child[]): HTMLAnchorElement {
  return h("a", {
    href: url,
    ...props,
    onclick: (event) => {
      const press = event as MouseEvent;
      if (press.ctrlKey || press.metaKey || press.shiftKey || press.button !== 0) return;
      press.preventDefault();
      app.go(url);
    },
  }, ...children);
}

export function nodeUrl(id: string): string {
  return `/nodes/${encodeURIComponent(id)}`;
}

export function functionUrl(name: string): string {
  return `/functions/${encodeURIComponent(name)}`;
}

export function empty(sentence: string, more = ""): HTMLElement {
  return h("div", { class: "empty" }, h("p", {}, sentence), more ? h("p", { class: "muted" }, more) : null);
}

export function loading(): HTMLElement {
  return h("div", { class: "empty loading", role: "status" }, h("p", {}, "Loading…"));
}

export function failure(message: string, again: () => void): HTMLElement {
  return h(
    "div",
    { class: "empty failed", role: "alert" },
    h("p", {}, message),
    h("button", { type: "button", class: "button", onclick: again }, "Try again"),
  );
}

export function fact(name: string, ...values: Child[]): HTMLElement {
  return h("div", { class: "fact" }, h("dt", {}, name), h("dd", {}, ...values));
}

const KIND_WORDS: Record<string, [string, string]> = {
  deploy_started: ["deploy started", "neutral"],
  deploy_complete: ["deploy complete", "good"],
  deploy_failed: ["deploy failed", "bad"],
  node_joined: ["node joined", "good"],
  node_connected: ["node connected", "good"],
  node_lost: ["node lost", "warn"],
  health_changed: ["health changed", "warn"],
  node_drained: ["drained", "hold"],
  node_uncordoned: ["uncordoned", "good"],
  rollback: ["rollback", "hold"],
  function_deleted: ["function deleted", "warn"],
};

export function kindWord(kind: string): string {
  return KIND_WORDS[kind]?.[0] ?? kind.replaceAll("_", " ");
}

export function eventRow(app: App, event: FleetEvent): Row<FleetEvent> {
  const [word, mood] = KIND_WORDS[event.kind] ?? [kindWord(event.kind), "neutral"];
  const age = h("span", { class: "age muted" });
  const subject = h(
    "span",
    { class: "subject" },
    event.function ? link(app, functionUrl(event.function), { class: "mono" }, event.function) : null,
    event.version ? h("span", { class: "muted num" }, ` v${event.version}`) : null,
    event.node ? link(app, nodeUrl(event.node), { class: "mono" }, event.node) : null,
  );
  const root = h(
    "li",
    { class: `event ${mood}` },
    h("time", { class: "num", title: stamp(event.time) }, event.time === null ? "—" : clock(event.time)),
    h("span", { class: "kind" }, h("i", { class: "mark", "aria-hidden": "true" }), word),
    subject,
    h("span", { class: "message" }, event.message, event.actor ? h("span", { class: "muted" }, ` · by ${event.actor}`) : null),
    age,
  );
  return { root, update: (item) => setText(age, ago(item.time, app.store.now())) };
}
