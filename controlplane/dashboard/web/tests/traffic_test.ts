import { deepStrictEqual as same } from "node:assert";
import { answersPerSecond, busiestFirst, sourcesOf, whyQuiet } from "../src/map/traffic.ts";
import type { Flows, Link, NodeView } from "../src/model.ts";

const node = (id: string) => ({ id }) as NodeView;
const nodes = ["c", "a", "b"].map(node);
const link = (offered: boolean) => ({ offers: { events: true, flows: offered } }) as Link;

function flows(...found: Flows["flows"]): Flows {
  return { window_s: 10, flows: found, functions: {}, other_answers_per_s: 0 };
}

Deno.test("answers are those of all flows and the others", () => {
  same(answersPerSecond(null), null);
  same(answersPerSecond(flows()), 0);
  same(answersPerSecond({ ...flows(["JP", "a", 2], ["US", "b", 3]), other_answers_per_s: 0.5 }), 5.5);
});

Deno.test("the busiest node comes first, by tens, else by name", () => {
  const order = (known: Flows | null) => busiestFirst(nodes, known).map(([{ id }, perSecond]) => `${id} ${perSecond}`);
  same(order(null), ["a 0", "b 0", "c 0"]);
  same(order(flows(["JP", "c", 30], ["US", "c", 10], ["US", "b", 20], ["JP", "gone", 90])), ["c 40", "b 20", "a 0"]);
  same(order(flows(["JP", "b", 24], ["JP", "a", 16])), ["a 16", "b 24", "c 0"]);
});

Deno.test("a node's sources are its own flows, the first few", () => {
  const known = flows(["JP", "a", 9], ["US", "b", 8], ["FR", "a", 7], ["AU", "a", 6]);
  same(sourcesOf("a", known, 2), [["JP", 9], ["FR", 7]]);
  same(sourcesOf("c", known, 2), []);
  same(sourcesOf("a", null, 2), []);
});

Deno.test("a map without traffic says why", () => {
  const fleet = new Map([["a", node("a")]]);
  const told = (state: Partial<Parameters<typeof whyQuiet>[0]>) => whyQuiet({ loaded: true, nodes: fleet, link: null, flows: null, ...state });
  same(told({ loaded: false, nodes: new Map() }), "");
  same(told({ nodes: new Map() }), "No node has joined yet.");
  same(told({ link: link(false) }), "This control plane tells no routing flows.");
  same(told({ link: link(true), flows: flows() }), "No client has asked within the last seconds.");
  same([told({}), told({ flows: flows(["JP", "a", 1]) })], ["", ""]);
});
