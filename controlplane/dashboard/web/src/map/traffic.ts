// What the flows of answers say of the fleet and of each node. Pure.

import type { Flows, NodeView } from "../model.ts";
import type { Store } from "../store.ts";

// Answers of the whole fleet in a second; null while no flow is known.
export function answersPerSecond(flows: Flows | null): number | null {
  return flows ? flows.flows.reduce((sum, [, , perSecond]) => sum + perSecond, flows.other_answers_per_s) : null;
}

// Each node with its answers in a second.
export function busiestFirst(nodes: Iterable<NodeView>, flows: Flows | null): [NodeView, number][] {
  const answers = new Map<string, number>();
  for (const [, node, perSecond] of flows?.flows ?? []) answers.set(node, (answers.get(node) ?? 0) + perSecond);
  const items = [...nodes].map((node): [NodeView, number] => [node, answers.get(node.id) ?? 0]);
  // By tens of answers, so that rows do not change places with every breath of the traffic.
  return items.sort(([a, x], [b, y]) => Math.round(y / 10) - Math.round(x / 10) || (a.id < b.id ? -1 : 1));
}

// The countries whose clients are sent to *node*, in the flows' order: the control plane tells the greatest first.
export function sourcesOf(node: string, flows: Flows | null, most: number): [country: string, perSecond: number][] {
  return (flows?.flows ?? []).filter(([, to]) => to === node).slice(0, most).map(([country, , perSecond]) => [country, perSecond]);
}

// Why the map shows no traffic; empty when it does, or when nothing is known yet.
export function whyQuiet({ loaded, nodes, link, flows }: Pick<Store, "loaded" | "nodes" | "link" | "flows">): string {
  if (!loaded) return "";
  if (!nodes.size) return "No node has joined yet.";
  if (link && !link.offers.flows) return "This control plane tells no routing flows.";
  return answersPerSecond(flows) === 0 ? "No client has asked within the last seconds." : "";
}
