// Where a person's words are: an address, a country, a city, or degrees.

import { country as countryName } from "./format.ts";

export type Target =
  | { kind: "ip"; ip: string; label: string; hint: string }
  | { kind: "point"; latitude: number; longitude: number; country: string; label: string; hint: string };

interface Named {
  name: string;
  plain: string;
  country: string;
  latitude: number;
  longitude: number;
}

const SUGGESTIONS = 8;

// As [name or code, …, longitude, latitude]: cities greatest first.
export interface PlacesFile {
  countries: [string, string, number, number][];
  cities: [string, string, number, number][];
}

export async function loadPlaces(): Promise<PlacesFile> {
  return await (await fetch("/static/places.json")).json();
}

export class Places {
  private countries = new Map<string, Named>();
  private cities: Named[] = [];

  constructor(file: PlacesFile | null = null) {
    if (file) this.fill(file);
  }

  fill(file: PlacesFile): void {
    for (const [alpha2, name, longitude, latitude] of file.countries) {
      this.countries.set(alpha2, { name, plain: plain(name), country: alpha2, latitude, longitude });
    }
    this.cities = file.cities.map(([name, country, longitude, latitude]) => ({ name, plain: plain(name), country, latitude, longitude }));
  }

  // The middle of a country's greatest part, as [longitude, latitude].
  middle(alpha2: string): [number, number] | null {
    const found = this.countries.get(alpha2);
    return found ? [found.longitude, found.latitude] : null;
  }

  // The best guesses first: countries before cities of the same rank, greater cities before smaller ones.
  search(words: string): Target[] {
    const text = words.trim();
    if (!text) return [];
    if (looksLikeAddress(text)) return [{ kind: "ip", ip: text, label: text, hint: "address" }];
    const point = degrees(text);
    if (point) return [{ kind: "point", ...point, country: "", label: text, hint: "latitude, longitude" }];
    const wanted = plain(text);
    const found: [number, Target][] = [];
    for (const place of this.countries.values()) {
      const rank = place.country === text.toUpperCase() ? 0 : ranked(place.plain, wanted);
      if (rank !== null) found.push([rank, target(place, "country")]);
    }
    for (const place of this.cities) {
      const rank = ranked(place.plain, wanted);
      if (rank !== null) found.push([rank + 0.5, target(place, countryName(place.country))]);
    }
    return found.sort(([a], [b]) => a - b).slice(0, SUGGESTIONS).map(([, item]) => item);
  }
}

function target(place: Named, hint: string): Target {
  const { latitude, longitude, country, name } = place;
  return { kind: "point", latitude, longitude, country, label: name, hint };
}

function ranked(name: string, wanted: string): number | null {
  if (name === wanted) return 0;
  if (name.startsWith(wanted)) return 1;
  return name.includes(` ${wanted}`) ? 2 : null;
}

function plain(text: string): string {
  return text.normalize("NFD").replace(/\p{Mark}/gu, "").toLowerCase().replace(/[^\p{Letter}\p{Number}]+/gu, " ").trim();
}

// Only whether to ask: the control plane decides whether it is an address.
function looksLikeAddress(text: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(text) || (text.includes(":") && /^[0-9a-f:.]+$/i.test(text));
}

function degrees(text: string): { latitude: number; longitude: number } | null {
  const match = /^(-?\d+(?:\.\d+)?)\s*[,; ]\s*(-?\d+(?:\.\d+)?)$/.exec(text);
  if (!match) return null;
  const [latitude, longitude] = [Number(match[1]), Number(match[2])];
  return Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 ? { latitude, longitude } : null;
}
