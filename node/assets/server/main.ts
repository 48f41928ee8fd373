// The server of static files: a request names its pack in x-nearhop-assets; which path shows what stands in the pack's table.
//
// Arguments: the folder of the packs, the unix sockets to listen on.

import { respond } from "./respond.ts";
import { fill } from "./rules.ts";
import { type Redirect, type Table, table } from "./table.ts";

const [store, ...sockets] = Deno.args;
let waiting = sockets.length;

async function answer(request: Request): Promise<Response> {
  const digest = request.headers.get("x-nearhop-assets") ?? "";
  if (!/^[0-9a-f]{64}$/.test(digest)) return new Response("no pack is named\n", { status: 400 });
  let pack: Table;
  try {
    pack = await table(store, digest);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) console.error(`pack ${digest}: ${error}`);
    return new Response("the files are not on this node\n", { status: 503, headers: { "retry-after": "1" } });
  }
  // The URL's scheme names the socket; the host is the client's.
  const url = new URL(request.url.replace(/^[a-z+]+:/, "http:"));
  return dressed(await chosen(request, url, pack), url, pack);
}

async function chosen(request: Request, url: URL, pack: Table): Promise<Response> {
  let path = url.pathname;
  const rule = redirect(url, pack);
  if (rule !== null) {
    if (rule.status !== 200) return away(rule, url);
    path = new URL(rule.to, url).pathname;
  }
  const plain = decoded(path);
  const found = pack.paths.get(plain);
  if (found === undefined) return await missing(request, plain, pack, encoded(plain) === path, url.search);
  if (request.method !== "GET" && request.method !== "HEAD") return new Response(null, { status: 405, headers: { allow: "GET, HEAD" } });
  const canonical = encoded(typeof found === "string" ? found : plain);
  if (typeof found === "string" || canonical !== path) return moved(307, canonical + url.search);
  return await respond(request, pack, pack.files[found], 200);
}

/** What is answered for a path that no file answers; *canonical* says whether the request spells it as we do. */
async function missing(request: Request, path: string, pack: Table, canonical: boolean, search: string): Promise<Response> {
  const page = fallback(path, pack);
  if (page === null) return new Response(null, { status: 404 });
  if (request.method !== "GET" && request.method !== "HEAD") return new Response(null, { status: 405, headers: { allow: "GET, HEAD" } });
  if (!canonical) return moved(307, encoded(path) + search);
  return await respond(request, pack, pack.files[page.file], page.status);
}

/** The file that is shown in place of one that is not there. */
function fallback(path: string, pack: Table): { file: number; status: number } | null {
  if (pack.notFound === "single-page-application") {
    const file = pack.numbers.get("/index.html");
    return file === undefined ? null : { file, status: 200 };
  }
  for (let folder = path; pack.notFound === "404-page" && folder !== "";) {
    folder = folder.slice(0, folder.lastIndexOf("/"));
    const file = pack.numbers.get(`${folder}/404.html`);
    if (file !== undefined) return { file, status: 404 };
  }
  return null;
}

function redirect(url: URL, pack: Table): Redirect | null {
  const fixed = pack.redirects.get(url.pathname);
  if (fixed !== undefined) return fixed;
  for (const { fits, redirect } of pack.patterns) {
    const values = fits(url.hostname, url.pathname);
    if (values === null) continue;
    const to = fill(redirect.to, values);
    // What a placeholder stood for may begin with a slash: //host would be another site.
    return { to: redirect.to.startsWith("/") ? to.replace(/^\/+/, "/") : to, status: redirect.status };
  }
  return null;
}

function away(rule: Redirect, url: URL): Response {
  const to = new URL(rule.to, url);
  to.search ||= url.search;
  return moved(rule.status, rule.to.startsWith("/") ? to.pathname + to.search + to.hash : to.href);
}

function moved(status: number, location: string): Response {
  return new Response(null, { status, headers: { location } });
}

/** Segment by segment; what is no valid encoding stays as it is. Slashes in a row become one: //host would be another site. */
function decoded(path: string): string {
  return path.split("/").map((segment) => {
    try {
      return decodeURIComponent(segment);
    } catch {
      return segment;
    }
  }).join("/").replace(/\/+/g, "/");
}

function encoded(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

/** The response with the headers that the site's rules say. */
function dressed(response: Response, url: URL, pack: Table): Response {
  const own = new Set<string>();
  for (const { fits, set, unset } of pack.headers) {
    const values = fits(url.hostname, url.pathname);
    if (values === null) continue;
    for (const name of unset) response.headers.delete(name);
    for (const [name, template] of set) {
      const value = fill(template, values);
      if (own.has(name)) response.headers.append(name, value);
      else response.headers.set(name, value);
      own.add(name);
    }
  }
  return response;
}

for (const path of sockets) {
  Deno.serve({
    path,
    transport: "unix",
    onListen: () => {
      if (--waiting === 0) console.log("ready");
    },
    onError: (error) => {
      console.error(String(error));
      return new Response(null, { status: 500 });
    },
  }, answer);
}
