import { deepStrictEqual as same, ok } from "node:assert";
import { arc, fitLabels, Frame, type Point, spread } from "../src/map/geometry.ts";
import { niceCeiling } from "../src/map/scale.ts";

Deno.test("pins that share a place are moved apart, the first stays", () => {
  const spots = spread(Array.from({ length: 20 }, (): Point => [100, 100]), 23);
  same(spots[0], [100, 100]);
  for (const [index, [x, y]] of spots.entries()) {
    for (const [otherX, otherY] of spots.slice(0, index)) ok(Math.hypot(x - otherX, y - otherY) >= 23);
  }
});

Deno.test("pins far apart stay where they are", () => {
  const places: Point[] = [[0, 0], [100, 0], [0, 100]];
  same(spread(places, 23), places);
});

Deno.test("a label goes to the side that is free, or away", () => {
  const pins: Point[] = [[50, 50], [75, 50]];
  same(fitLabels([{ at: [50, 50], width: 30 }, { at: [75, 50], width: 30 }], pins, 400), ["end", "start"]);
  same(fitLabels([{ at: [50, 50], width: 60 }], pins, 400), [null]);
  same(fitLabels([{ at: [390, 50], width: 30 }], [[390, 50]], 400), ["end"]);
});

Deno.test("a place on the screen is found again", () => {
  const frame = new Frame();
  frame.resize(800, 500, [[139.7, 35.7]]);
  frame.zoomBy(3, [400, 250]);
  const found = frame.locate(frame.place(-46.6, -23.6));
  ok(found && Math.hypot(found[0] + 46.6, found[1] + 23.6) < 0.01);
});

Deno.test("every place that must be on the map is", () => {
  const frame = new Frame();
  frame.resize(400, 300, [[-157.8, 21.3], [178, -18]]);
  for (const [x, y] of [frame.place(-157.8, 21.3), frame.place(178, -18)]) ok(x >= 0 && x <= 400 && y >= 0 && y <= 300);
});

Deno.test("zoom and pan never leave the map", () => {
  const frame = new Frame();
  frame.resize(400, 300, []);
  frame.zoomBy(2, [0, 0]);
  frame.panBy(1e6, -1e6);
  same(frame.transform, "translate(0.0 -300.0) scale(2.000)");
  frame.zoomBy(0.01, [10, 10]);
  same(frame.transform, "translate(0.0 0.0) scale(1.000)");
});

Deno.test("an arc begins and ends at its points, also when they are one", () => {
  same(arc([0, 0], [100, 0]), "M0.0,0.0Q50.0,-22.0 100.0,0.0");
  same(arc([100, 0], [0, 0]), "M100.0,0.0Q50.0,-22.0 0.0,0.0");
  same(arc([5, 5], [5, 5]), "M5.0,5.0Q5.0,5.0 5.0,5.0");
});

Deno.test("the scale is a round number at or above", () => {
  same([0.3, 1, 1.1, 4, 7, 10, 311].map(niceCeiling), [0.5, 1, 2, 5, 10, 10, 500]);
});
