export const config = { runtime: "edge" };

const encode = (text) => new TextEncoder().encode(text);

export default async (request) => {
  const digest = await crypto.subtle.digest("SHA-256", encode(await request.text()));
  const key = await crypto.subtle.importKey("raw", encode("key"), { name: "HMAC", hash: "SHA-256" }, true, ["sign"]);
  const signature = await crypto.subtle.sign("HMAC", key, encode("message"));
  const base64 = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)));
  return Response.json({ digest: base64(digest), signature: base64(signature), uuid: crypto.randomUUID().length });
};
