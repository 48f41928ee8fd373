const encoder = new TextEncoder();
const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export default {
  async fetch(request) {
    const key = await crypto.subtle.importKey("raw", encoder.encode("secret"), { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
    const message = encoder.encode(new URL(request.url).pathname);
    const signature = await crypto.subtle.sign("HMAC", key, message);
    const given = encoder.encode(request.headers.get("x-token") ?? "");
    const expected = encoder.encode("letmein");
    const stream = new crypto.DigestStream("SHA-256");
    await new Response("hello world").body.pipeTo(stream);
    let refused = "nothing";
    try {
      crypto.subtle.timingSafeEqual(encoder.encode("a"), encoder.encode("ab"));
    } catch (error) {
      refused = error.constructor.name;
    }
    return Response.json({
      signature: hex(signature),
      verified: await crypto.subtle.verify("HMAC", key, signature, message),
      equal: given.byteLength === expected.byteLength && crypto.subtle.timingSafeEqual(given, expected),
      digest: hex(await stream.digest),
      md5: hex(await new Response("x").arrayBuffer()),
      refused,
      uuid: crypto.randomUUID().length,
    });
  },
};
