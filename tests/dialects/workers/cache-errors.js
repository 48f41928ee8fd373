async function attempt(request, response) {
  try {
    await caches.default.put(request, response);
    return "stored";
  } catch (error) {
    return error.constructor.name;
  }
}

export default {
  async fetch() {
    const url = "https://cache.example.org/errors";
    return Response.json({
      post: await attempt(new Request(url, { method: "POST" }), new Response("x")),
      partial: await attempt(url, new Response("x", { status: 206, headers: { "content-range": "bytes 0-0/9" } })),
      vary: await attempt(url, new Response("x", { headers: { vary: "*" } })),
      missing: (await caches.default.match("https://cache.example.org/missing")) ?? null,
      deleted: await (await caches.open("other")).delete("https://cache.example.org/missing"),
    });
  },
};
