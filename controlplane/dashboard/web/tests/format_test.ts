import { deepStrictEqual as same } from "node:assert";
import { ago, bytes, count, country, degrees, duration, kilometres, rate } from "../src/format.ts";

Deno.test("rates", () => same([0, 0.04, 3.25, 12.4, 12345].map(rate), ["0", "0.0", "3.3", "12", "12,345"]));
Deno.test("counts", () => same([count(1, "node"), count(2, "node"), count(0, "sandbox", "sandboxes")], ["1 node", "2 nodes", "0 sandboxes"]));
Deno.test("sizes", () => same([0, 1023, 1536, 46 * 2 ** 20, 3 * 2 ** 40].map(bytes), ["0 B", "1023 B", "1.5 KiB", "46 MiB", "3.0 TiB"]));
Deno.test("durations", () => same([14, 60, 3599, 7200, 90000].map(duration), ["14 s", "1 min", "59 min", "2 h", "1 d"]));
Deno.test("ages", () => same([ago(null, 9), ago(100, 100.4), ago(100, 114)], ["never", "now", "14 s ago"]));
Deno.test("a country that is none stays text", () => same([country("JP"), country(""), country("<b>")], ["Japan", "unknown place", "<b>"]));
Deno.test("distances", () => same([kilometres(null), kilometres(0), kilometres(9557.4)], ["—", "0 km", "9,557 km"]));
Deno.test("degrees", () => same(degrees(-33.87, 151.21), "33.9° S, 151.2° E"));
