// One file as a response: which variant, whether it has changed, which part of it (RFC 9110 sections 8.8, 12.5.3, 13 and 14).

import { body } from "./contents.ts";
import type { File, Place, Table } from "./table.ts";

const REVALIDATE = "public, max-age=0, must-revalidate";
const CODINGS = ["br", "gzip"] as const; // the better one first

export async function respond(request: Request, table: Table, file: File, status: number): Promise<Response> {
  const asked = request.headers;
  const ranged = asked.get("range");
  // A part is a part of the file itself, so that its bounds mean the same to every client.
  const coding = ranged === null ? accepted(asked.get("accept-encoding"), file) : null;
  const place: Place = coding === null ? file.content : file.variants[coding];
  const headers = new Headers({ "content-type": file.type, etag: tag(file, coding), "x-content-type-options": "nosniff", "accept-ranges": "bytes" });
  if (!asked.has("authorization") && ranged === null) headers.set("cache-control", REVALIDATE);
  if (Object.keys(file.variants).length > 0) headers.set("vary", "accept-encoding");
  if (coding !== null) headers.set("content-encoding", coding);
  if (status === 200) {
    const early = precondition(asked, headers.get("etag")!);
    if (early === 304) headers.delete("content-type");
    if (early !== null) return new Response(null, { status: early, headers });
  }
  let [start, end] = [0, place[1]];
  if (ranged !== null && status === 200 && request.method === "GET" && unchanged(asked.get("if-range"), headers.get("etag")!)) {
    const part = range(ranged, place[1]);
    if (part === "unsatisfiable") {
      return new Response(null, { status: 416, headers: { "content-range": `bytes */${place[1]}`, etag: headers.get("etag")! } });
    }
    if (part !== null) {
      [start, end] = part;
      status = 206;
      headers.set("content-range", `bytes ${start}-${end - 1}/${place[1]}`);
    }
  }
  headers.set("content-length", String(end - start));
  return new Response(request.method === "HEAD" ? null : await body(table.contents, place, start, end), { status, headers });
}

function tag(file: File, coding: string | null): string {
  const digest = file.content[2].slice(0, 32);
  return coding === null ? `"${digest}"` : `"${digest}-${coding}"`;
}

/** The best coding that the client takes and the file has; null for the file as it is. */
export function accepted(header: string | null, file: File): (typeof CODINGS)[number] | null {
  if (header === null) return null;
  const weights = new Map<string, number>();
  for (const item of header.split(",")) {
    const [name, ...parameters] = item.split(";").map((text) => text.trim().toLowerCase());
    const weight = parameters.find((text) => text.startsWith("q="));
    const parsed = weight === undefined ? 1 : Number(weight.slice(2));
    weights.set(name === "x-gzip" ? "gzip" : name, Number.isNaN(parsed) ? 0 : parsed);
  }
  let best: (typeof CODINGS)[number] | null = null;
  let bestWeight = weights.get("identity") ?? 0;
  for (const coding of CODINGS) {
    const weight = weights.get(coding) ?? weights.get("*") ?? 0;
    if (file.variants[coding] !== undefined && weight > 0 && weight >= bestWeight && (best === null || weight > bestWeight)) {
      best = coding;
      bestWeight = weight;
    }
  }
  return best;
}

function tags(header: string): string[] {
  return header.match(/(?:W\/)?"[^"]*"/g) ?? [];
}

function precondition(asked: Headers, etag: string): 304 | 412 | null {
  const match = asked.get("if-match");
  if (match !== null && match.trim() !== "*" && !tags(match).includes(etag)) return 412;
  const none = asked.get("if-none-match");
  if (none === null) return null;
  return none.trim() === "*" || tags(none).some((one) => one.replace(/^W\//, "") === etag) ? 304 : null;
}

function unchanged(ifRange: string | null, etag: string): boolean {
  return ifRange === null || ifRange.trim() === etag; // a date never fits: files have none
}

/** The part that a Range header asks for, as [start, end); null when it is to be passed over: other units, several parts, no sense. */
export function range(header: string, size: number): [number, number] | "unsatisfiable" | null {
  const match = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/.exec(header);
  if (match === null || (match[1] === "" && match[2] === "")) return null;
  if (match[1] === "") {
    const length = Math.min(Number(match[2]), size);
    return length === 0 ? "unsatisfiable" : [size - length, size];
  }
  const start = Number(match[1]);
  const end = match[2] === "" ? size : Math.min(Number(match[2]) + 1, size);
  if (match[2] !== "" && Number(match[2]) < start) return null;
  return start >= size ? "unsatisfiable" : [start, end];
}
