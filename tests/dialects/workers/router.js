const routes = [
  ["GET", /^\/$/, () => new Response("home")],
  ["GET", /^\/items\/(\d+)$/, (_request, [id]) => Response.json({ id: Number(id) })],
  ["POST", /^\/items$/, async (request) => Response.json(await request.json(), { status: 201, headers: { location: "/items/1" } })],
  ["GET", /^\/old$/, (request) => Response.redirect(new URL("/new", request.url), 301)],
];

export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    const matching = routes.filter(([, pattern]) => pattern.test(pathname));
    if (matching.length === 0) return new Response("Not found", { status: 404 });
    const route = matching.find(([method]) => method === request.method);
    if (route === undefined) return new Response(null, { status: 405, headers: { allow: matching.map(([method]) => method).join(", ") } });
    return route[2](request, route[1].exec(pathname).slice(1));
  },
};
