export default {
  async fetch(request, _env, ctx) {
    const url = new URL(request.url);
    const cache = caches.default;
    const key = new Request("https://cache.example.org" + url.pathname, request);
    if (request.method === "DELETE") return Response.json(await cache.delete(new Request(key.url)));
    const kept = await cache.match(key);
    if (kept) {
      const headers = new Headers({ "x-cache": "hit" });
      if (kept.headers.has("content-range")) headers.set("content-range", kept.headers.get("content-range"));
      return new Response(kept.body, { status: kept.status, headers });
    }
    const response = new Response("kept for a minute", { headers: { "cache-control": "max-age=60", etag: '"one"' } });
    if (url.pathname !== "/never") ctx.waitUntil(cache.put(key.url, response.clone()));
    return new Response(response.body, { headers: { "x-cache": "miss" } });
  },
};
