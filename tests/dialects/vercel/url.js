export const config = { runtime: "edge" };

export default (request) => {
  const url = new URL(request.url);
  const pattern = new URLPattern({ pathname: "/users/:id" });
  return Response.json({
    path: url.pathname,
    id: pattern.exec(request.url)?.pathname.groups.id ?? null,
    all: url.searchParams.getAll("tag"),
    built: new URL("../x?y=1#z", "https://example.org/a/b/c").href,
    headers: request.headers.get("x-custom"),
  });
};
