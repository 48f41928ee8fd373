import { deepStrictEqual as same } from "node:assert";
import { Places } from "../src/places.ts";

const places = new Places({
  countries: [["AU", "Australia", 134, -25], ["FR", "France", 2.5, 46.6], ["US", "United States", -98, 39]],
  cities: [["São Paulo", "BR", -46.63, -23.55], ["Paris", "FR", 2.35, 48.86], ["Paris", "US", -95.56, 33.66], ["Austin", "US", -97.7, 30.3]],
});

const labels = (words: string) => places.search(words).map(({ label, hint }) => `${label}, ${hint}`);

Deno.test("accents and case do not matter", () => same(labels("SAO p"), ["São Paulo, Brazil"]));
Deno.test("the greater of two cities comes first", () => same(labels("paris"), ["Paris, France", "Paris, United States"]));
Deno.test("countries come before cities", () => same(labels("aus"), ["Australia, country", "Austin, United States"]));
Deno.test("a country's code is its name too", () => same(labels("fr")[0], "France, country"));
Deno.test("addresses are told from names", () => {
  for (const ip of ["192.0.2.1", "2001:db8::1", "::1"]) same(places.search(ip), [{ kind: "ip", ip, label: ip, hint: "address" }]);
});
Deno.test("degrees are a place", () => {
  const [{ label, ...point }] = places.search("-33.9, 151.2");
  same(point, { kind: "point", latitude: -33.9, longitude: 151.2, country: "", hint: "latitude, longitude" });
  same(label, "-33.9, 151.2");
});
Deno.test("nonsense is no place", () => same([labels(""), labels("  "), labels("91, 0"), labels("qqq")], [[], [], [], []]));
