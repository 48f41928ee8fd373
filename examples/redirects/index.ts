// Answers redirects by rule, before any origin is asked; a URL without a rule is 404.

import { decide, faults } from "./redirect.ts";
import { rules } from "./rules.ts";

// At import, so that a version with a faulty rule is refused by the nodes and never serves.
const found = faults(rules);
if (found.length > 0) throw new Error(`rules.ts: ${found.join("; ")}`);

export default {
  fetch(request: Request): Response {
    const { pathname, search } = new URL(request.url);
    const country = request.headers.get("x-nearhop-country") ?? "XX";
    const redirect = decide(rules, pathname, search, country);
    if (redirect === null) return new Response("Not found\n", { status: 404 });
    return new Response(null, {
      status: redirect.status,
      headers: {
        location: redirect.location,
        "cache-control": redirect.shared ? "public, max-age=3600" : "private, no-store",
      },
    });
  },
};
