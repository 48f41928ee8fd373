addEventListener("fetch", (event) => {
  event.respondWith(handle(event.request).catch((error) => new Response(error.message, { status: 500 })));
});

async function handle(request) {
  if (new URL(request.url).pathname === "/fail") throw new Error("failed as asked");
  const type = request.headers.get("content-type") ?? "none";
  return new Response(`${request.method} ${type} ${await request.text()} ${GREETING}`, { headers: { "x-form": "service-worker" } });
}
