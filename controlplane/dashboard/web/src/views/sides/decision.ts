// One decision: where a client is sent, why, and what else there was to choose from.

import { explain, read } from "../../api.ts";
import type { App } from "../../app.ts";
import { h, replace } from "../../dom.ts";
import { kilometres } from "../../format.ts";
import { Badge } from "../../health.ts";
import { clientName, question, whereabouts } from "../../map/query.ts";
import type { Decision } from "../../model.ts";
import type { Change } from "../../store.ts";
import { fact, failure, link, loading, nodeUrl } from "../parts.ts";
import type { Side } from "./side.ts";

export class DecisionSide implements Side {
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
      const decision = await read<Decision>("/api/explain", question(this.query));
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

  private render(decision: Decision): void {
    const chosen = decision.candidates.filter((candidate) => candidate.chosen);
    replace(
      this.root,
      link(this.app, this.home(), { class: "back" }, "All nodes"),
      h("h2", {}, clientName(this.query, decision.client)),
      h("p", { class: "muted" }, whereabouts(decision.client)),
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
}
