// Drain, uncordon and rollback: asked about first, told about after.

import { act } from "./api.ts";
import type { App } from "./app.ts";
import { h, setAttribute, setText } from "./dom.ts";
import { rate } from "./format.ts";
import type { NodeInfo } from "./model.ts";

const DENIED = "Your token may not do this";
export const NODES = "nodes";

export async function drain(app: App, node: NodeInfo): Promise<void> {
  const flows = app.store.flows?.flows ?? [];
  const now = flows.reduce((sum, [, to, perSecond]) => to === node.id ? sum + perSecond : sum, 0);
  const detail = now > 0
    ? `It is sent ${rate(now)} answers a second now; those clients go to their next nearest node. Requests in flight finish.`
    : "New clients go to their next nearest node. Requests in flight finish.";
  if (!await app.sure(`Drain ${node.id}?`, detail, "Drain")) return;
  await app.attempt(NODES, async () => {
    await act(`/api/nodes/${encodeURIComponent(node.id)}/drain`);
    return `${node.id} is drained: no new client is sent to it`;
  });
}

export async function uncordon(app: App, node: NodeInfo): Promise<void> {
  await app.attempt(NODES, async () => {
    await act(`/api/nodes/${encodeURIComponent(node.id)}/uncordon`);
    return `${node.id} is back in the answers`;
  });
}

export async function rollback(app: App, name: string, from: number, to: number): Promise<void> {
  const question = `Roll ${name} back to version ${to}?`;
  if (!await app.sure(question, `Version ${from} serves now. Every node switches; no request is dropped.`, "Roll back")) return;
  await app.attempt(rollbackScope(name), async () => {
    await act(`/api/functions/${encodeURIComponent(name)}/rollback`, { to_version: to });
    return `${name} is going back to version ${to}`;
  });
}

// One button that drains or uncordons, whichever applies.
export class DrainButton {
  root: HTMLButtonElement;
  private node: NodeInfo | null = null;

  constructor(private app: App) {
    this.root = h("button", { type: "button", class: "button", onclick: () => this.press() });
  }

  set(node: NodeInfo): void {
    this.node = node;
    setText(this.root, node.draining ? "Uncordon" : "Drain");
    permit(this.app, this.root, NODES);
  }

  private press(): void {
    if (this.node) void (this.node.draining ? uncordon(this.app, this.node) : drain(this.app, this.node));
  }
}

// A token may be for some functions alone.
export function rollbackScope(name: string): string {
  return `rollback ${name}`;
}

export function permit(app: App, button: HTMLButtonElement, scope: string): void {
  const denied = app.store.denied.has(scope);
  setAttribute(button, "disabled", denied);
  setAttribute(button, "title", denied ? DENIED : null);
}
