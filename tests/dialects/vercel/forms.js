export const config = { runtime: "edge" };

export default async (request) => {
  if (request.method !== "POST") return new Response(null, { status: 405, headers: { allow: "POST" } });
  const form = await request.formData();
  return Response.json({ name: form.get("name"), tags: form.getAll("tag") });
};
