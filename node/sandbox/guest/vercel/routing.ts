// redirects, headers and rewrites of vercel.json, in the order in which Vercel looks at them: redirects, headers, then middleware, functions
// and files, then rewrites.

import { agree } from "./conditions.ts";
import { compile, type Matcher } from "./matcher.ts";

export interface Routing {
  redirects: (Matcher & { destination: string; status: number })[];
  headers: (Matcher & { headers: { key: string; value: string }[] })[];
  rewrites: (Matcher & { destination: string })[];
}

type Fill = (template: string) => string;

export interface Routes {
  /** The answer that sends the client elsewhere. */
  redirect(request: Request): Response | null;
  /** The headers that the answer gets, null for none. */
  headers(request: Request): [string, string][] | null;
  /** Where each rewrite leads a request for *path*: another path with what is added to the query, or a URL elsewhere. */
  rewrites: ((request: Request, path: string) => string | null)[];
}

const REFERENCE = /\$([0-9a-zA-Z_]+)/g;

/** A rule's source and conditions: what fills its templates where they fit, null where they do not. */
function matching(rule: Matcher): { test(request: Request, path: string): Fill | null; names: (string | null)[] } {
  const { regexp, names } = compile(rule.source, true);
  const conditions = rule.has === undefined && rule.missing === undefined ? null : agree(rule);
  return {
    names,
    test(request, path) {
      const match = regexp.exec(path);
      const values: Record<string, string> = {};
      if (match === null || conditions !== null && !conditions(request, values)) return null;
      // A name that stands twice means its last group.
      return (template) =>
        template.replace(REFERENCE, (_, name) => {
          if (Object.hasOwn(values, name)) return values[name];
          return match[names.lastIndexOf(name) + 1 || Number(name)] ?? "";
        });
    },
  };
}

/** The names that conditions capture. */
function captured({ has = [] }: Matcher): string[] {
  return has.flatMap(({ type, key, value }) => {
    if (!value) return key === undefined ? [] : [key];
    return [...[...value.matchAll(/\(\?<([a-zA-Z]\w*)>/g)].map(([, name]) => name), ...(type === "host" ? ["host"] : [])];
  });
}

/** *text* with each :name of *names* as $name, and which of them it holds. */
function template(text: string, names: string[]): { text: string; used: Set<string> } {
  const used = new Set<string>();
  const made = text.replace(/:(\w+)([*+?](?![=&]))?/g, (whole, name) => {
    if (!names.includes(name)) return whole;
    used.add(name);
    return `$${name}`;
  });
  return { text: made, used };
}

function split(destination: string): { path: string; query: string; hash: string } {
  const [, path, query = "", hash = ""] = /^([^?#]*)(?:\?([^#]*))?(#.*)?$/.exec(destination)!;
  return { path, query, hash };
}

function redirect(rule: Routing["redirects"][number]) {
  const { test, names } = matching(rule);
  const to = template(rule.destination, [...names.filter((name) => name !== null), ...captured(rule)]).text;
  return (request: Request, url: URL): Response | null => {
    const fill = test(request, url.pathname);
    if (fill === null) return null;
    const { path, query, hash } = split(fill(to));
    const asked = new URLSearchParams(query);
    const own = new Set(asked.keys());
    for (const [name, value] of url.searchParams) if (!own.has(name)) asked.append(name, value);
    const search = [...url.searchParams.keys()].every((name) => own.has(name)) ? query : asked.toString();
    // What a parameter stood for may begin with a slash: //host would be another site.
    const location = rule.destination.startsWith("/") ? path.replace(/^\/+/, "/") : path;
    return new Response(null, { status: rule.status, headers: { location: location + (search && `?${search}`) + hash } });
  };
}

function rewrite(rule: Routing["rewrites"][number]) {
  const { test, names } = matching(rule);
  const known = [...names.filter((name) => name !== null), ...captured(rule)];
  const { path, query, hash } = split(rule.destination);
  const [to, search, end] = [template(path, known), template(query, known), template(hash, known)];
  // Names that no part of the path uses go into the query, as on Vercel.
  const given = new Set(new URLSearchParams(query).keys());
  const added = known.some((name) => to.used.has(name) || end.used.has(name)) ? [] : known.filter((name) => !given.has(name));
  return (request: Request, path: string): string | null => {
    const fill = test(request, path);
    if (fill === null) return null;
    const asked = new URLSearchParams();
    for (const [name, value] of new URLSearchParams(search.text)) asked.append(name, fill(value));
    for (const name of added) asked.set(name, fill(`$${name}`));
    const found = fill(to.text);
    return (rule.destination.startsWith("/") ? found.replace(/^\/+/, "/") : found) + (asked.size > 0 ? `?${asked}` : "");
  };
}

function headers(rule: Routing["headers"][number]) {
  const { test, names } = matching(rule);
  const known = [...names.filter((name) => name !== null), ...captured(rule)];
  const pairs = rule.headers.map(({ key, value }) => [template(key, known).text, template(value, known).text]);
  return (request: Request, path: string): [string, string][] => {
    const fill = test(request, path);
    return fill === null ? [] : pairs.map(([key, value]) => [fill(key), fill(value)]);
  };
}

/** Compile the rules. Throws a TypeError for one that is none. */
export function routes(routing: Routing): Routes {
  const [away, added] = [routing.redirects.map(redirect), routing.headers.map(headers)];
  return {
    redirect(request) {
      const url = new URL(request.url);
      for (const rule of away) {
        const answer = rule(request, url);
        if (answer !== null) return answer;
      }
      return null;
    },
    headers(request) {
      if (added.length === 0) return null;
      const { pathname } = new URL(request.url);
      const found = added.flatMap((rule) => rule(request, pathname));
      return found.length === 0 ? null : found;
    },
    rewrites: routing.rewrites.map(rewrite),
  };
}
