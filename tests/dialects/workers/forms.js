export default {
  async fetch(request) {
    const type = request.headers.get("content-type") ?? "";
    if (type.includes("form")) {
      const form = await request.formData();
      const fields = {};
      for (const [name, value] of form) fields[name] = typeof value === "string" ? value : `${value.name} ${value.type} ${(await value.text()).length}`;
      return Response.json(fields);
    }
    const url = new URL(request.url);
    url.searchParams.append("b", "2 3");
    url.searchParams.delete("c");
    return new Response(`${url.search} ${await request.text()}`, { status: 202, statusText: "Accepted" });
  },
};
