// Decides where a URL is redirected to. Pure: the HTTP side is in index.ts, the rules are in rules.ts.

interface Target {
  to: string;
  byCountry?: Record<string, string>;
  status: 301 | 302 | 303 | 307 | 308;
}

/** `prefix` ends with a slash, and what follows it in the URL is appended to the target. */
export type Rule = Target & ({ exact: string } | { prefix: string });

export interface Redirect {
  location: string;
  status: number;
  /** Whether every client gets this answer. */
  shared: boolean;
}

const HERE = "https://this-site.invalid"; // stands for our own origin while a path is parsed

/** Returns the redirect for a request, null when no rule fits. */
export function decide(rules: readonly Rule[], path: string, query: string, country: string): Redirect | null {
  for (const rule of rules) {
    const rest = remainder(rule, path);
    if (rest === null) continue;
    const shared = rule.byCountry === undefined;
    const to = rule.byCountry && Object.hasOwn(rule.byCountry, country) ? rule.byCountry[country] : rule.to;
    return { location: join(to, rest, query), status: rule.status, shared };
  }
  return null;
}

/** Says what is wrong with a set of rules: one sentence per fault. */
export function faults(rules: readonly Rule[]): string[] {
  return rules.flatMap((rule) => {
    const from = "exact" in rule ? rule.exact : rule.prefix;
    const targets = [rule.to, ...Object.values(rule.byCountry ?? {})];
    return [
      ...(from.startsWith("/") ? [] : [`${from}: must start with a slash`]),
      // "/docs" would fit "/docs.evil.example" too, and turn "https://docs.example.org" into somebody else's host.
      ...("prefix" in rule && !from.endsWith("/") ? [`${from}: a prefix must end with a slash`] : []),
      ...targets.flatMap((to) => targetFaults(rules, "prefix" in rule, to).map((fault) => `${from}: ${fault}`)),
    ];
  });
}

function targetFaults(rules: readonly Rule[], isPrefix: boolean, to: string): string[] {
  if (!/^(\/(?![/\\])|https:\/\/)/.test(to) || !URL.canParse(to, HERE)) {
    return [`${to} is neither a path nor an https: URL`];
  }
  const { origin, pathname, hash } = new URL(to, HERE);
  if (hash !== "") return [`${to} has a fragment`];
  if (isPrefix && !pathname.endsWith("/")) return [`${to} must end with a slash, as the prefix does`];
  // The answer would be redirected again, perhaps for ever. A prefix rule onto "/" is for pages outside the rules.
  const again = origin === HERE && !(isPrefix && pathname === "/") &&
    rules.some((rule) => remainder(rule, pathname) !== null);
  return again ? [`${to} is redirected by another rule`] : [];
}

/** Returns what follows the rule's part of the path, null when the rule does not fit. */
function remainder(rule: Rule, path: string): string | null {
  if ("exact" in rule) return path === rule.exact ? "" : null;
  return path.startsWith(rule.prefix) ? path.slice(rule.prefix.length) : null;
}

/** Appends the rest of the path and the query. Only the rule can name a host: "//evil.example" as a rest stays a path. */
function join(to: string, rest: string, query: string): string {
  const target = new URL(to, HERE);
  target.pathname = (target.pathname + rest).replace(/^\/+/, "/");
  target.search = [target.search.slice(1), query.replace(/^\?/, "")].filter((part) => part !== "").join("&");
  return target.origin === HERE ? target.pathname + target.search : target.href;
}
