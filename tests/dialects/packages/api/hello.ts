export const config = { runtime: "edge" };
export default (request: Request) => Response.json({ path: new URL(request.url).pathname, user: request.headers.get("x-user") });
