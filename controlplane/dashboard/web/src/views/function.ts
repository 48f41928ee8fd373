// One function: its versions, its deployment as it goes, what each node runs, and the way back.

import { permit, rollback, rollbackScope } from "../actions.ts";
import { explain, read, Refusal } from "../api.ts";
import type { App, View } from "../app.ts";
import { h, replace } from "../dom.ts";
import { ago, bytes, count, stamp } from "../format.ts";
import { Badge } from "../health.ts";
import type { Deployment, FunctionDetail, Share } from "../model.ts";
import type { Change } from "../store.ts";
import { empty, fact, failure, link, loading, nodeUrl } from "./parts.ts";

const PROGRESSING_MS = 400;
const STEADY_MS = 5000;

export class FunctionView implements View {
  title: string;
  root: HTMLElement;
  private body = h("div", {}, loading());
  private name: string;
  private drawn = "";
  private timer?: ReturnType<typeof setTimeout>;
  private busy = false;
  private left = false;

  constructor(private app: App, path: string) {
    this.name = decodeURIComponent(path);
    this.title = this.name;
    this.root = h(
      "div",
      { class: "page" },
      h("header", { class: "page-head" }, link(app, "/functions", { class: "back" }, "Functions"), h("h1", { class: "mono" }, this.name)),
      this.body,
    );
  }

  show(): void {
    void this.read();
  }

  update(changes: Set<Change>): void {
    if (changes.has("events") || changes.has("functions")) void this.read();
  }

  leave(): void {
    this.left = true;
    clearTimeout(this.timer);
  }

  private async read(): Promise<void> {
    if (this.busy || this.left) return;
    this.busy = true;
    clearTimeout(this.timer);
    let pause = STEADY_MS;
    try {
      const detail = await read<FunctionDetail>(`/api/functions/${encodeURIComponent(this.name)}`);
      if (this.left) return;
      if (detail.deployment?.phase === "progressing") pause = PROGRESSING_MS;
      const key = JSON.stringify([detail, this.app.store.denied.size]);
      if (key !== this.drawn) this.draw(detail);
      this.drawn = key;
    } catch (error) {
      if (this.left) return;
      // What was read stays, and the banner says how old it is; only a page without anything shows the error in its place.
      if (!this.drawn || (error instanceof Refusal && error.code === "NOT_FOUND")) {
        this.drawn = "";
        replace(this.body, failure(explain(error), () => void this.read()));
      }
    } finally {
      this.busy = false;
    }
    this.timer = setTimeout(() => void this.read(), pause);
  }

  private draw(detail: FunctionDetail): void {
    const { function: item, deployment } = detail;
    // A press in progress must not lose its button's focus to a redraw.
    const focused = (document.activeElement as HTMLElement | null)?.dataset?.version;
    replace(
      this.body,
      h(
        "dl",
        { class: "facts across" },
        fact("Serves", item.active_version ? `version ${item.active_version}` : "nothing yet"),
        fact("Hostnames", h("span", { class: "mono" }, item.hostnames.join(", ") || "none")),
        fact("Limits", `${item.limits.cpu_ms || 50} ms CPU · ${item.limits.memory_mib || 128} MiB · ${(item.limits.wall_ms || 30000) / 1000} s`),
        fact("Created", stamp(item.created_at)),
      ),
      deployment ? this.deployment(deployment) : empty("It has no deployment yet.", `Deploy it with: nearhop deploy PATH --name ${item.name}`),
      this.versions(detail),
      this.nodes(detail),
    );
    if (focused) this.body.querySelector<HTMLElement>(`[data-version="${CSS.escape(focused)}"]`)?.focus();
  }

  private deployment(deployment: Deployment): HTMLElement {
    const done = deployment.nodes.filter((node) => node.state === "active").length;
    const all = deployment.nodes.length;
    const refused = deployment.nodes.filter((node) => node.state === "refused");
    const bar = h("i");
    bar.style.setProperty("inline-size", `${all ? Math.round(100 * done / all) : 0}%`);
    const words = {
      progressing: "in progress",
      paused: "paused",
      complete: "complete",
      failed: "failed",
      rolled_back: "rolled back",
      unspecified: "unknown",
    }[deployment.phase] ?? "unknown";
    return h(
      "section",
      { class: `deployment ${deployment.phase}`, "aria-label": "Deployment" },
      h("h2", {}, `Deployment ${deployment.generation} `, h("span", { class: "phase" }, words)),
      h("p", { class: "sentence" }, `${shares(deployment.shares)}${deployment.previous.length ? `, before it ${shares(deployment.previous)}` : ""}`),
      h("p", { class: "sentence muted" }, deployment.reason),
      h(
        "p",
        {
          class: "progress",
          role: "progressbar",
          "aria-valuemin": 0,
          "aria-valuemax": all,
          "aria-valuenow": done,
          "aria-label": "Nodes that serve it",
        },
        h("span", { class: "bar" }, bar),
        h("span", { class: "num" }, `${done} of ${count(all, "node")}`),
      ),
      refused.length
        ? h(
          "ul",
          { class: "plain refusals" },
          ...refused.map((node) =>
            h("li", { class: "bad" }, link(this.app, nodeUrl(node.node), { class: "mono" }, node.node), h("pre", {}, node.error))
          ),
        )
        : null,
    );
  }

  private versions({ versions, function: item, deployment }: FunctionDetail): HTMLElement {
    const share = new Map(
      (deployment && deployment.phase !== "failed" && deployment.phase !== "rolled_back" ? deployment.shares : deployment?.previous ?? []).map((
        { version, percent },
      ) => [version, percent]),
    );
    const rows = versions.map((version) => {
      const active = share.has(version.number);
      const button = h("button", {
        type: "button",
        class: "button small",
        onclick: () => void rollback(this.app, item.name, item.active_version, version.number).then(() => this.read()),
      }, version.number < item.active_version ? "Roll back" : "Deploy again");
      button.dataset.version = String(version.number);
      permit(this.app, button, rollbackScope(item.name));
      return h(
        "tr",
        { class: active ? "active" : "" },
        h("th", { scope: "row" }, `v${version.number}`),
        h("td", { class: "num" }, active ? `${share.get(version.number)} %` : ""),
        h("td", { class: "free" }, version.message || h("span", { class: "muted" }, "no message")),
        h("td", { class: "wide muted" }, version.author),
        h("td", { class: "wide num muted" }, bytes(version.size_bytes)),
        h("td", { class: "wide mono muted", title: version.digest }, version.digest.slice(0, 12)),
        h("td", { class: "wide num muted", title: stamp(version.created_at) }, ago(version.created_at, this.app.store.now())),
        h("td", { class: "act" }, active || !item.active_version ? null : button),
      );
    });
    return h(
      "section",
      { "aria-label": "Versions" },
      h("h2", {}, "Versions"),
      rows.length
        ? h(
          "table",
          { class: "grid" },
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              ...[["Version", ""], ["Traffic", "num"], ["Message", ""], ["Author", "wide"], ["Size", "wide num"], ["Digest", "wide"], [
                "Made",
                "wide num",
              ], ["", "act"]].map(([word, kind]) => h("th", { scope: "col", class: kind }, word)),
            ),
          ),
          h("tbody", {}, ...rows),
        )
        : empty("It has no version yet."),
    );
  }

  private nodes({ nodes }: FunctionDetail): HTMLElement {
    const rows = nodes.map((node) => {
      const { placement } = node;
      const terminations = Math.max(0, ...node.sandboxes.map((sandbox) => sandbox.terminations));
      const last = node.sandboxes.find((sandbox) => sandbox.last_termination)?.last_termination;
      return h(
        "tr",
        {},
        h("th", { scope: "row" }, new Badge(true).set(node.health).root, " ", link(this.app, nodeUrl(node.node), { class: "mono" }, node.node)),
        h("td", {}, placement?.active_version ? `v${placement.active_version}` : "—"),
        h(
          "td",
          { class: placement?.state === "refused" ? "bad free" : "" },
          placement ? placement.state : "not placed",
          placement?.error ? h("span", { class: "muted" }, ` · ${placement.error}`) : null,
        ),
        h("td", { class: "num" }, node.sandboxes.map((sandbox) => bytes(sandbox.memory_bytes)).join(", ") || "—"),
        h("td", { class: "wide num" }, String(node.sandboxes.reduce((sum, sandbox) => sum + sandbox.requests, 0))),
        h("td", { class: "wide" }, terminations ? `${terminations}, last: ${last ?? "unknown"}` : "none"),
      );
    });
    return h(
      "section",
      { "aria-label": "Nodes" },
      h("h2", {}, "On the nodes"),
      rows.length
        ? h(
          "table",
          { class: "grid" },
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              ...[["Node", ""], ["Serves", ""], ["State", ""], ["Memory", "num"], ["Requests", "wide num"], ["Terminations", "wide"]].map((
                [word, kind],
              ) => h("th", { scope: "col", class: kind }, word)),
            ),
          ),
          h("tbody", {}, ...rows),
        )
        : empty("No node has joined yet."),
    );
  }
}

function shares(items: Share[]): string {
  return items.map(({ version, percent }) => percent === 100 ? `version ${version}` : `${percent} % version ${version}`).join(" and ");
}
