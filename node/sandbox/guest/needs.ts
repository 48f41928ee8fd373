// What a program's text says that it will want: what is costly to have is loaded for those alone that name it.

import type { Settings } from "./settings.ts";

export interface Needs {
  geo: boolean; // more of the client's place than the country
  context: boolean; // which request an outgoing request belongs to
  assets: boolean;
}

const GEO = /\bcf\b|\bgeo\b|geolocation|x-vercel-ip-|cf-(?:ip|region|metro|postal|timezone)/;
// The global fetch as a value or called, and not a method's name: .fetch, fetch(request) { … }, fetch: …, fetch = …
// And what leads to other hosts by itself: middleware's rewrites and vercel.json's.
const METHOD = /(?<![.\w$])fetch\s*\([^()]*\)\s*\{/g;
const FETCH = /(?<![.\w$])fetch\s*[(,;)\]}.]|\b(?:globalThis|self|window)\s*(?:\.\s*|\[.)fetch\b|x-middleware-rewrite|\bvercelJson\b/;

export function look(source: string, settings: Settings): Needs {
  const foreign = settings.dialect !== "deno";
  return {
    geo: foreign && settings.sockets.geo !== null && GEO.test(source),
    context: settings.subrequests !== Infinity && FETCH.test(source.replaceAll(METHOD, "")),
    assets: settings.sockets.assets !== null && settings.manifest.assets !== null,
  };
}
