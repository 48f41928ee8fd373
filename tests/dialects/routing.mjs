// Asks Vercel's own package how it reads rules of vercel.json: node routing.mjs FOLDER RULES. FOLDER is where the package is installed, RULES a
// file of [{ kind, rule, asked: [[path, headers]] }]. Prints what each rule makes of each request, null where it does not fit.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { getTransformedRoutes } = createRequire(`${process.argv[2]}/`)("@vercel/routing-utils");

/** $1 and $name as Vercel's router replaces them (resolveRouteParameters of vercel dev). */
function filled(text, match, values) {
  return text.replace(/\$([0-9a-zA-Z_]+)/g, (_, name) => values[name] ?? match[Number(name)] ?? "");
}

function agreed({ has = [], missing = [] }, url, headers) {
  const values = {};
  const one = ({ type, key, value }, into) => {
    const cookies = Object.fromEntries((headers.cookie ?? "").split("; ").map((item) => item.split("=")));
    const found = { header: headers[key], cookie: cookies[key], query: url.searchParams.get(key), host: url.hostname }[type];
    if (!found) return false;
    if (!value) return into[key] = found, true;
    const match = new RegExp(`^${value}$`).exec(found);
    if (match === null) return false;
    Object.assign(into, match.groups, type === "host" ? { host: match[0] } : {});
    return true;
  };
  return has.every((item) => one(item, values)) && !missing.some((item) => one(item, {})) ? values : null;
}

const told = JSON.parse(readFileSync(process.argv[3], "utf8")).map(({ kind, rule, asked }) => {
  const { routes, error } = getTransformedRoutes({ [kind]: [structuredClone(rule)] });
  if (error !== null) return { error: true };
  const route = routes.find(({ src }) => src !== undefined);
  return {
    answers: asked.map(([path, headers = {}]) => {
      const url = new URL(path, "http://a.example.org");
      const match = new RegExp(route.src).exec(url.pathname);
      const values = match && agreed(rule, url, headers);
      if (!values) return null;
      if (kind === "rewrites") return filled(route.dest, match, values);
      const made = Object.fromEntries(Object.entries(route.headers).map(([name, value]) => [filled(name, match, values), filled(value, match, values)]));
      return kind === "redirects" ? [route.status, made.Location] : made;
    }),
  };
});
console.log(JSON.stringify(told));
