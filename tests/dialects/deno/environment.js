Deno.serve(() =>
  Response.json({
    greeting: Deno.env.get("GREETING"),
    missing: Deno.env.get("MISSING_VARIABLE") ?? null,
    has: Deno.env.has("GREETING"),
    object: Deno.env.toObject().GREETING,
    version: Object.keys(Deno.version).sort(),
    os: Deno.build.os,
    args: Deno.args,
    inspected: Deno.inspect({ a: 1 }),
  })
);
