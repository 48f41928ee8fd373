Deno.serve(async (request) => {
  if (request.method === "GET") {
    return new Response('<form method="post"><input name="name"></form>', { headers: { "content-type": "text/html; charset=utf-8" } });
  }
  const form = await request.formData();
  const headers = new Headers({ location: "/thanks" });
  headers.append("set-cookie", `name=${encodeURIComponent(form.get("name"))}`);
  headers.append("set-cookie", "again=1");
  return new Response(null, { status: 303, headers });
});
