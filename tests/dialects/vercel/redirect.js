export const config = { runtime: "edge" };

export default (request) => {
  const url = new URL(request.url);
  if (url.pathname === "/blog") return Response.redirect(new URL("/news", request.url), 308);
  if (url.pathname === "/go") return new Response(null, { status: 302, headers: { Location: "https://example.org/there" } });
  return new Response("stay", { headers: { "cache-control": "s-maxage=60, stale-while-revalidate" } });
};
