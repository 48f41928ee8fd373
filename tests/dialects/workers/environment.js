let requests = 0;

export default {
  async fetch(request, env, ctx) {
    requests += 1;
    const copy = new Request(request, { headers: { "x-copy": "1" } });
    return Response.json({
      agent: navigator.userAgent,
      greeting: env.GREETING,
      missing: env.MISSING ?? null,
      country: typeof request.cf === "object",
      copied: [copy.headers.get("x-copy"), typeof copy.cf, copy.method],
      context: [typeof ctx.waitUntil, typeof ctx.passThroughOnException],
      clone: structuredClone(new Map([[1, { a: [1] }]])).get(1),
      pattern: new URLPattern({ pathname: "/:lang/*" }).exec(request.url)?.pathname.groups.lang ?? null,
      base64: btoa(atob("aGVsbG8=")),
      aborted: AbortSignal.abort().aborted,
      statics: typeof Response.json === "function" && typeof queueMicrotask === "function",
      again: requests > 0,
    });
  },
};
