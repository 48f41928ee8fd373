// The program: nothing in it belongs to a platform.

export function greet(request: Request, country: string | null | undefined): Response {
  const { pathname, searchParams } = new URL(request.url);
  if (pathname !== "/api/hello") return Response.json({ error: "not found" }, { status: 404 });
  const name = (searchParams.get("name") ?? "world").slice(0, 100);
  return Response.json({ greeting: `Hello, ${name}`, country: country ?? "XX", method: request.method }, {
    headers: { "cache-control": "no-store" },
  });
}
