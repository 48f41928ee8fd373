Deno.serve((request) => {
  const { pathname, searchParams } = new URL(request.url);
  return new Response(`${request.method} ${pathname} ${searchParams.get("q")}`);
});
