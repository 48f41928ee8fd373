// The tables of packs, read when they are first asked for and kept as long as they are in use.

import { compile, isStatic, type Match } from "./rules.ts";

export type Place = [offset: number, size: number, digest: string];

export interface File {
  type: string;
  content: Place;
  variants: Record<string, Place>;
}

export interface Redirect {
  to: string;
  status: number;
}

export interface Table {
  contents: string;
  notFound: string;
  files: File[];
  numbers: Map<string, number>;
  paths: Map<string, number | string>;
  headers: { fits: Match; set: [string, string][]; unset: string[] }[];
  redirects: Map<string, Redirect>;
  patterns: { fits: Match; redirect: Redirect }[];
}

const KEPT = 64;
const tables = new Map<string, Promise<Table>>();

/** The pack's table; rejects with Deno.errors.NotFound when the pack is not there. */
export function table(store: string, digest: string): Promise<Table> {
  let found = tables.get(digest);
  if (found === undefined) {
    found = read(store, digest);
    found.catch(() => tables.delete(digest)); // it may arrive later
  }
  tables.delete(digest); // the one that was used last stays longest
  tables.set(digest, found);
  if (tables.size > KEPT) tables.delete(tables.keys().next().value!);
  return found;
}

async function read(store: string, digest: string): Promise<Table> {
  const raw = JSON.parse(await Deno.readTextFile(`${store}/${digest}/table.json`));
  const redirects = new Map<string, Redirect>();
  const patterns = [];
  for (const { from, to, status } of raw.redirects) {
    if (isStatic(from)) redirects.set(from, { to, status });
    else patterns.push({ fits: compile(from), redirect: { to, status } });
  }
  return {
    contents: `${store}/${digest}/contents`,
    notFound: raw.not_found,
    files: raw.files,
    numbers: new Map(Object.entries(raw.numbers)),
    paths: new Map(Object.entries(raw.paths)),
    headers: raw.headers.map((rule: { path: string; set: [string, string][]; unset: string[] }) => ({
      fits: compile(rule.path),
      set: rule.set,
      unset: rule.unset,
    })),
    redirects,
    patterns,
  };
}
