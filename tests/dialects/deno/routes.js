const book = new URLPattern({ pathname: "/books/:id" });

Deno.serve(async (request) => {
  const match = book.exec(request.url);
  if (match && request.method === "GET") return Response.json({ book: match.pathname.groups.id });
  if (match && request.method === "PUT") return new Response(await request.text(), { status: 200, headers: { etag: '"v2"' } });
  if (request.method === "HEAD") return new Response(null, { headers: { "x-head": "1" } });
  return new Response("Not found (try /books/1)", { status: 404 });
});
