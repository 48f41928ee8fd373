export const config = { runtime: "edge" };

export default async (request, context) => {
  context.waitUntil(Promise.resolve());
  const { waitUntil } = context; // bound, unlike elsewhere
  waitUntil(Promise.resolve());
  return Response.json({
    runtime: typeof EdgeRuntime,
    deno: typeof Deno,
    env: typeof process.env,
    clone: structuredClone({ a: new Date(0) }).a.toISOString(),
    blob: await new Blob(["a", "b"]).text(),
    text: new TextDecoder().decode(new TextEncoder().encode("é")),
    body: await request.clone().text(),
    again: await request.text(),
  });
};
