// has and missing: what a request must, or must not, carry for a matcher of middleware or a rule of vercel.json to count.

import type { Agree, Condition } from "./matcher.ts";

type Values = Record<string, string>;
type Test = (request: Request, values: Values) => boolean;

const HOST_PORT = /:\d+$/;

function cookie(header: string | null, name: string): string | null {
  for (const item of (header ?? "").split(";")) {
    const equals = item.indexOf("=");
    if (equals > 0 && item.slice(0, equals).trim() === name) return item.slice(equals + 1).trim();
  }
  return null;
}

function read(condition: Condition): (request: Request) => string | null {
  const { type, key } = condition;
  if (type === "host") return (request) => (request.headers.get("host") ?? new URL(request.url).host).replace(HOST_PORT, "").toLowerCase();
  if (typeof key !== "string") throw new TypeError(`a condition on a ${type} names it with key`);
  switch (type) {
    case "header":
      return (request) => request.headers.get(key);
    case "cookie":
      return (request) => cookie(request.headers.get("cookie"), key);
    case "query":
      return (request) => new URL(request.url).searchParams.getAll(key).at(-1) ?? null;
    default:
      throw new TypeError(`a condition is on a header, cookie, query or host, and not on ${String(type)}`);
  }
}

/** One condition. Without a value it wants one that is not empty; a value is a regular expression for all of it. */
function test(condition: Condition): Test {
  const found = read(condition);
  const { type, key, value } = condition;
  if (value !== undefined && typeof value !== "string") throw new TypeError(`the value of a condition on a ${type} is a text`);
  if (!value) {
    if (type === "host") throw new TypeError("a condition on the host has a value");
    return (request, values) => {
      const text = found(request);
      if (text) values[key!] = text;
      return Boolean(text);
    };
  }
  const regexp = new RegExp(`^${value}$`);
  return (request, values) => {
    const text = found(request);
    const match = text === null || text === "" ? null : regexp.exec(text);
    if (match === null) return false;
    Object.assign(values, match.groups);
    if (type === "host") values.host = match[0];
    return true;
  };
}

export const agree: Agree = ({ has = [], missing = [] }) => {
  const [wanted, unwanted] = [has.map(test), missing.map(test)];
  return (request, values = {}) => wanted.every((one) => one(request, values)) && !unwanted.some((one) => one(request, {}));
};
