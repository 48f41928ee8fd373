// What the map's URL asks for, and how that is said: an address, a point or a node, each for one function or any. Pure.

import { country, degrees } from "../format.ts";
import type { Decision } from "../model.ts";

type Client = Decision["client"];

// The map's URL with other parameters than *before*; the function stays.
export function mapUrl(before: URLSearchParams, parameters: Record<string, string>): string {
  const kept = before.get("function");
  const all = Object.entries({ ...parameters, ...(kept ? { function: kept } : {}) }).filter(([, value]) => value);
  const search = new URLSearchParams(all).toString().replaceAll("%2C", ",");
  return search ? `/map?${search}` : "/map";
}

// What stands in the search box.
export function searchWords(query: URLSearchParams): string {
  return query.get("label") ?? query.get("ip") ?? pointWords(query.get("at") ?? "");
}

// The parameters of /api/explain.
export function question(query: URLSearchParams): Record<string, string> {
  const ip = query.get("ip");
  const [latitude, longitude = ""] = (query.get("at") ?? "").split(",");
  const asked: Record<string, string> = ip !== null ? { ip } : { latitude, longitude };
  for (const name of ["country", "function"]) {
    const value = query.get(name);
    if (value) asked[name] = value;
  }
  return asked;
}

export function clientName(query: URLSearchParams, client: Client): string {
  return query.get("label") ?? (client.ip ? `A client at ${client.ip}` : "A client here");
}

export function whereabouts(client: Client): string {
  const where = client.latitude !== null && client.longitude !== null ? degrees(client.latitude, client.longitude) : "";
  const land = client.country ? country(client.country) : "";
  if (client.source === "given") return [land, where].filter(Boolean).join(" · ");
  if (client.source === "none") return "The database does not know this address";
  const network = client.network ? `known as ${client.network}` : "";
  return [client.city, land, where, network].filter(Boolean).join(" · ");
}

function pointWords(at: string): string {
  if (!at) return "";
  const [latitude, longitude] = at.split(",").map(Number);
  return Number.isFinite(latitude) && Number.isFinite(longitude) ? degrees(latitude, longitude) : at;
}
