export const config = { runtime: "edge" };

export default async (request) => {
  try {
    if (request.headers.get("authorization") !== "Bearer good") throw new Response("Unauthorized", { status: 401, headers: { "www-authenticate": "Bearer" } });
    return new Response("secret");
  } catch (thrown) {
    return thrown instanceof Response ? thrown : new Response("broken", { status: 500 });
  }
};
