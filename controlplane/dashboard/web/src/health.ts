// A health state is told by color and by shape, so that it can be told without color.

import { h, s, setAttribute, setText } from "./dom.ts";
import type { Health } from "./model.ts";

export const SHAPES: Record<Health, string> = {
  healthy: "M0,-5A5,5 0 1,1 0,5A5,5 0 1,1 0,-5Z",
  unhealthy: "M-4.2,-4.2L4.2,4.2M4.2,-4.2L-4.2,4.2",
  stale: "M0,-5L5.4,4.3L-5.4,4.3Z",
  draining: "M-2.6,-4.6V4.6M2.6,-4.6V4.6",
  unspecified: "M0,-4A4,4 0 1,1 0,4A4,4 0 1,1 0,-4Z",
};

export const WORDS: Record<Health, string> = {
  healthy: "healthy",
  unhealthy: "unhealthy",
  stale: "stale",
  draining: "draining",
  unspecified: "unknown",
};

export const ORDER: Health[] = ["healthy", "draining", "stale", "unhealthy", "unspecified"];

export function known(health: string): Health {
  return health in SHAPES ? health as Health : "unspecified";
}

// A symbol with its word; the word may be hidden from sight, never from a screen reader.
export class Badge {
  root: HTMLElement;
  private path = s("path");
  private svg = s("svg", { viewBox: "-7 -7 14 14", "aria-hidden": "true" }, this.path);
  private word = h("span");

  constructor(private quiet = false) {
    this.root = h("span", { class: "badge" }, this.svg, this.word);
    if (quiet) this.word.className = "unseen";
  }

  set(health: Health): this {
    const shape = known(health);
    setAttribute(this.root, "class", `badge health ${shape}${this.quiet ? " quiet" : ""}`);
    setAttribute(this.path, "d", SHAPES[shape]);
    setText(this.word, WORDS[shape]);
    return this;
  }
}

export function badge(health: Health): HTMLElement {
  return new Badge().set(health).root;
}

// A bar of the machine's load: 100 % is one runnable process for each core.
export class LoadBar {
  private fill = h("i");
  private word = h("span", { class: "num" });
  root = h("span", { class: "load" }, h("span", { class: "bar", "aria-hidden": "true" }, this.fill), this.word);

  set(load: number, cpus: number, known: boolean): void {
    const share = cpus > 0 ? load / cpus : 0;
    this.fill.style.setProperty("inline-size", known ? `${Math.min(100, Math.round(share * 100))}%` : "0");
    setAttribute(this.root, "class", `load${share > 1 ? " over" : share > 0.75 ? " high" : ""}`);
    setText(this.word, known && cpus > 0 ? `${Math.round(share * 100)} %` : "—");
  }
}
