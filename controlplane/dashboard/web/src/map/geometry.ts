// Where things stand on the screen. Pure but for d3's projection, which is set once per size.

// @ts-types="@types/d3-geo"
import { geoEqualEarth, geoGraticule, geoPath, type GeoProjection } from "d3-geo";
import type { MultiLineString, Polygon } from "geojson";

export type Point = [x: number, y: number];

export interface Shapes {
  land: Polygon;
  borders: MultiLineString;
}

// The continents fill the frame; Antarctica and the open Pacific are cut unless a node stands there.
const CONTINENTS: Point[] = [[-124, 38], [178, -40], [178, 64], [-100, 74], [60, 74], [-70, -54]];

export async function loadShapes(): Promise<Shapes> {
  const packed = await (await fetch("/static/world.json")).json() as { land: number[][]; borders: number[][] };
  return {
    land: { type: "Polygon", coordinates: packed.land.map(unpack) },
    borders: { type: "MultiLineString", coordinates: packed.borders.map(unpack) },
  };
}

function unpack(line: number[]): Point[] {
  const points: Point[] = [];
  let [x, y] = [0, 0];
  for (let index = 0; index < line.length; index += 2) {
    x += line[index];
    y += line[index + 1];
    points.push([x / 100, y / 100]);
  }
  return points;
}

export class Frame {
  private projection: GeoProjection = geoEqualEarth();
  width = 0;
  height = 0;
  zoom = 1;
  private shift: Point = [0, 0];

  // *inside* are places, as [longitude, latitude], that must be on the map.
  resize(width: number, height: number, inside: Point[]): void {
    this.width = width;
    this.height = height;
    const [across, down] = [Math.min(28, width * 0.04), Math.min(72, height * 0.09)];
    const frame = { type: "MultiPoint" as const, coordinates: [...CONTINENTS, ...inside] };
    this.projection = geoEqualEarth().rotate([-11, 0]).fitExtent([[across, down], [width - across, height - down]], frame);
    this.clamp();
  }

  outlines(shapes: Shapes): { land: string; borders: string; graticule: string; sphere: string } {
    const path = geoPath(this.projection).digits(1);
    return {
      land: path(shapes.land) ?? "",
      borders: path(shapes.borders) ?? "",
      graticule: path(geoGraticule().step([20, 20])()) ?? "",
      sphere: path({ type: "Sphere" }) ?? "",
    };
  }

  place(longitude: number, latitude: number): Point {
    const [x, y] = this.projection([longitude, latitude]) ?? [0, 0];
    return [x * this.zoom + this.shift[0], y * this.zoom + this.shift[1]];
  }

  // The longitude and latitude under a point of the screen; null beside the globe.
  locate([x, y]: Point): Point | null {
    const base: Point = [(x - this.shift[0]) / this.zoom, (y - this.shift[1]) / this.zoom];
    const found = this.projection.invert?.(base) ?? null;
    if (!found || Number.isNaN(found[0]) || Math.abs(found[1]) > 90 || Math.abs(found[0]) > 180) return null;
    const [againX, againY] = this.projection(found) ?? [Infinity, Infinity];
    return Math.hypot(againX - base[0], againY - base[1]) < 1 ? found : null;
  }

  get transform(): string {
    return `translate(${this.shift[0].toFixed(1)} ${this.shift[1].toFixed(1)}) scale(${this.zoom.toFixed(3)})`;
  }

  zoomBy(factor: number, [x, y]: Point): void {
    const zoom = Math.min(12, Math.max(1, this.zoom * factor));
    const ratio = zoom / this.zoom;
    this.shift = [x - (x - this.shift[0]) * ratio, y - (y - this.shift[1]) * ratio];
    this.zoom = zoom;
    this.clamp();
  }

  panBy(dx: number, dy: number): void {
    this.shift = [this.shift[0] + dx, this.shift[1] + dy];
    this.clamp();
  }

  reset(): void {
    this.zoom = 1;
    this.shift = [0, 0];
  }

  private clamp(): void {
    const bound = (value: number, size: number) => Math.max(size * (1 - this.zoom), Math.min(0, value));
    this.shift = [bound(this.shift[0], this.width), bound(this.shift[1], this.height)];
  }
}

// Moves points that would cover each other apart, the first stays where it is: a sunflower's pattern round the place they share.
export function spread(points: Point[], least: number): Point[] {
  const placed: Point[] = [];
  for (const [x, y] of points) {
    let spot: Point = [x, y];
    for (let step = 1; step < 80 && placed.some((other) => Math.hypot(other[0] - spot[0], other[1] - spot[1]) < least); step++) {
      const radius = least * 0.62 * Math.sqrt(step);
      spot = [x + radius * Math.cos(step * 2.39996), y + radius * Math.sin(step * 2.39996)];
    }
    placed.push(spot);
  }
  return placed;
}

// An arc that rises to the north of the straight line, as a flight's path does on a wall map.
export function arc([x1, y1]: Point, [x2, y2]: Point): string {
  const length = Math.hypot(x2 - x1, y2 - y1);
  const lift = Math.min(0.22 * length, 120);
  const side = x2 >= x1 ? 1 : -1;
  const middle: Point = length === 0 ? [x1, y1] : [
    (x1 + x2) / 2 + side * lift * ((y2 - y1) / length),
    (y1 + y2) / 2 - side * lift * ((x2 - x1) / length),
  ];
  return `M${x1.toFixed(1)},${y1.toFixed(1)}Q${middle[0].toFixed(1)},${middle[1].toFixed(1)} ${x2.toFixed(1)},${y2.toFixed(1)}`;
}

export interface Label {
  at: Point;
  width: number;
}

// Which labels fit, and on which side of their pin: "start" to the right, "end" to the left, null hidden.
export function fitLabels(labels: Label[], pins: Point[], width: number): ("start" | "end" | null)[] {
  const taken: [number, number, number, number][] = pins.map(([x, y]) => [x - 10, y - 10, x + 10, y + 10]);
  return labels.map(({ at: [x, y], width: own }, index) => {
    for (const side of ["start", "end"] as const) {
      const left = side === "start" ? x + 13 : x - 13 - own;
      const box: [number, number, number, number] = [left, y - 8, left + own, y + 8];
      const free = box[0] >= 4 && box[2] <= width - 4 &&
        taken.every((other, place) => place === index || box[0] >= other[2] || other[0] >= box[2] || box[1] >= other[3] || other[1] >= box[3]);
      if (free) {
        taken.push(box);
        return side;
      }
    }
    return null;
  });
}
