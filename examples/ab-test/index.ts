// Shows each visitor one variant of a page, always the same, on whichever node: the cookie holds a random id and the variant follows from its hash.

import { experiment } from "./experiment.ts";

const COOKIE = "visitor";
const COOKIE_MAX_AGE_SECONDS = 180 * 24 * 3600;
const COOKIE_HEADER_MAX = 8192; // what is beyond is not looked at
const VISITOR = /^[0-9a-f]{32}$/;

type Variant = (typeof experiment.variants)[number];

const totalWeight = experiment.variants.reduce((sum, { weight }) => sum + weight, 0);

export default {
  async fetch(request: Request): Promise<Response> {
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response("Method not allowed\n", { status: 405, headers: { allow: "GET, HEAD" } });
    }
    const known = visitorIn(request.headers.get("cookie") ?? "");
    const visitor = known ?? newVisitor();
    const variant = await choose(visitor);
    const headers = new Headers({
      "content-type": "text/html; charset=utf-8",
      // One URL, several pages: the browser may keep its own, a shared cache none.
      "cache-control": "private, no-cache",
      vary: "cookie",
      "x-variant": variant.name,
    });
    if (known === null) headers.set("set-cookie", cookieFor(visitor, new URL(request.url).protocol === "https:"));
    return new Response(page(variant), { headers });
  },
};

/** Returns the visitor's id from a Cookie header; null when it is absent or not one of ours. */
function visitorIn(header: string): string | null {
  for (const pair of header.slice(0, COOKIE_HEADER_MAX).split(";")) {
    const [name, value] = pair.trim().split("=", 2);
    if (name === COOKIE && VISITOR.test(value ?? "")) return value;
  }
  return null;
}

function newVisitor(): string {
  return crypto.randomUUID().replaceAll("-", "");
}

/** Maps a visitor onto [0, total weight) by SHA-256. The experiment's name is in the hash, so that experiments are independent. */
async function choose(visitor: string): Promise<Variant> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`${experiment.name}:${visitor}`));
  let point = (new DataView(hash).getUint32(0) / 2 ** 32) * totalWeight;
  for (const variant of experiment.variants) {
    if (point < variant.weight) return variant;
    point -= variant.weight;
  }
  throw new Error("the weights of an experiment must be positive numbers");
}

function cookieFor(visitor: string, secure: boolean): string {
  const attributes = `Path=/; Max-Age=${COOKIE_MAX_AGE_SECONDS}; HttpOnly; SameSite=Lax`;
  // A browser drops a Secure cookie that came over plain HTTP, and would be a new visitor each time.
  return `${COOKIE}=${visitor}; ${attributes}${secure ? "; Secure" : ""}`;
}

function page({ headline }: Variant): string {
  return `<!doctype html>\n<html lang="en">\n<title>${headline}</title>\n<h1>${headline}</h1>\n</html>\n`;
}
