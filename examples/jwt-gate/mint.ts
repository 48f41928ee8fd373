// Prints a token signed with config.ts's HS256 key, for trying the gate by hand: deno run mint.ts [subject] [seconds of validity]

import { config } from "./config.ts";

const [subject = "ada", seconds = "300"] = Deno.args;
const key = config.keys.find((key) => key.alg === "HS256");
if (!key) throw new Error("config.ts has no HS256 key");

const encode = (data: Uint8Array) => data.toBase64({ alphabet: "base64url", omitPadding: true });
const encodeJson = (value: unknown) => encode(new TextEncoder().encode(JSON.stringify(value)));

const secret = Uint8Array.fromBase64(key.secret, { alphabet: "base64url" });
const signer = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
const claims = {
  iss: config.issuer,
  aud: config.audience,
  sub: subject,
  exp: Math.floor(Date.now() / 1000) + Number(seconds),
};
const signed = `${encodeJson({ alg: "HS256", typ: "JWT", kid: key.kid })}.${encodeJson(claims)}`;
const signature = await crypto.subtle.sign("HMAC", signer, new TextEncoder().encode(signed));
console.log(`${signed}.${encode(new Uint8Array(signature))}`);
