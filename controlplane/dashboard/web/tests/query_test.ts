import { deepStrictEqual as same } from "node:assert";
import { clientName, mapUrl, question, searchWords, whereabouts } from "../src/map/query.ts";
import type { Decision } from "../src/model.ts";

const query = (text: string) => new URLSearchParams(text);

function client(known: Partial<Decision["client"]>): Decision["client"] {
  return { ip: "", network: "", source: "database", latitude: null, longitude: null, country: "", city: "", ...known };
}

Deno.test("the map's URL keeps the function and nothing else", () => {
  same(mapUrl(query("node=a&label=b"), {}), "/map");
  same(mapUrl(query("node=a&function=shop"), {}), "/map?function=shop");
  same(mapUrl(query("function=shop"), { at: "35.7,139.7", country: "" }), "/map?at=35.7,139.7&function=shop");
  same(mapUrl(query(""), { label: "São Paulo & <b>" }), "/map?label=S%C3%A3o+Paulo+%26+%3Cb%3E");
});

Deno.test("the search box says what was asked", () => {
  same(searchWords(query("")), "");
  same(searchWords(query("at=35.7,139.7&label=Tokyo")), "Tokyo");
  same(searchWords(query("ip=192.0.2.1")), "192.0.2.1");
  same(searchWords(query("at=35.7,139.7")), "35.7° N, 139.7° E");
  same(searchWords(query("at=here")), "here");
});

Deno.test("a question is an address or a point, with the country and the function if given", () => {
  same(question(query("ip=192.0.2.1&at=1,2&function=shop&label=x")), { ip: "192.0.2.1", function: "shop" });
  same(question(query("at=1,2&country=JP")), { latitude: "1", longitude: "2", country: "JP" });
  same(question(query("at=1")), { latitude: "1", longitude: "" });
  same(question(query("ip=")), { ip: "" });
});

Deno.test("a client is called by its label, its address, or neither", () => {
  same(clientName(query("label=Tokyo"), client({ ip: "192.0.2.1" })), "Tokyo");
  same(clientName(query(""), client({ ip: "192.0.2.1" })), "A client at 192.0.2.1");
  same(clientName(query(""), client({})), "A client here");
});

Deno.test("where a client is, as far as it is known", () => {
  const tokyo = { latitude: 35.7, longitude: 139.7, country: "JP", city: "Tokyo", network: "192.0.2.0/24" };
  same(whereabouts(client(tokyo)), "Tokyo · Japan · 35.7° N, 139.7° E · known as 192.0.2.0/24");
  same(whereabouts(client({ ...tokyo, source: "given" })), "Japan · 35.7° N, 139.7° E");
  same(whereabouts(client({ source: "given", latitude: 0, longitude: 0 })), "0.0° N, 0.0° E");
  same(whereabouts(client({ source: "none" })), "The database does not know this address");
});
