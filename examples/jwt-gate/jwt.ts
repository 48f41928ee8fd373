// Verifies JSON Web Tokens (RFC 7519) with WebCrypto alone, and says why it refuses one. It knows nothing of HTTP, reads no clock.

import type { KeyConfig } from "./config_types.ts";

const TOKEN_MAX = 8192;
const HMAC_SECRET_MIN_BYTES = 32; // RFC 7518 section 3.2
const RSA_MODULUS_MIN_BITS = 2048; // RFC 7518 section 3.3

const ALGORITHMS = {
  HS256: { name: "HMAC", hash: "SHA-256" },
  RS256: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
} as const;

export interface Key {
  alg: keyof typeof ALGORITHMS;
  kid: string;
  crypto: CryptoKey;
}

export interface Expected {
  issuer: string;
  audience: string;
  leewaySeconds: number;
}

export type Reason =
  | "malformed"
  | "algorithm_not_allowed"
  | "unknown_key"
  | "bad_signature"
  | "no_expiry"
  | "expired"
  | "not_yet_valid"
  | "wrong_issuer"
  | "wrong_audience"
  | "bad_subject";

export type Verdict = { ok: true; subject: string } | { ok: false; reason: Reason };

type Json = Record<string, unknown>;

/** Imports a configured key. Throws on one that is too weak for its algorithm. */
export async function importKey(key: KeyConfig): Promise<Key> {
  const bytes = decodeBase64Url(key.alg === "HS256" ? key.secret : key.jwk.n);
  const algorithm = ALGORITHMS[key.alg];
  if (key.alg === "HS256") {
    if (bytes === null || bytes.length < HMAC_SECRET_MIN_BYTES) {
      throw new Error(`key ${key.kid}: an HS256 secret is base64url of at least ${HMAC_SECRET_MIN_BYTES} bytes`);
    }
    return {
      alg: key.alg,
      kid: key.kid,
      crypto: await crypto.subtle.importKey("raw", bytes, algorithm, false, ["verify"]),
    };
  }
  if (bytes === null || bytes.length * 8 < RSA_MODULUS_MIN_BITS) {
    throw new Error(`key ${key.kid}: an RS256 modulus is base64url of at least ${RSA_MODULUS_MIN_BITS} bits`);
  }
  return {
    alg: key.alg,
    kid: key.kid,
    crypto: await crypto.subtle.importKey("jwk", key.jwk, algorithm, false, ["verify"]),
  };
}

/** Verifies a compact token at `now` (seconds). Claims are read only once the signature holds. */
export async function verify(token: string, keys: readonly Key[], expected: Expected, now: number): Promise<Verdict> {
  const parts = token.length <= TOKEN_MAX ? token.split(".") : [];
  if (parts.length !== 3) return refused("malformed");
  const header = decodeJson(parts[0]);
  const signature = decodeBase64Url(parts[2]);
  // RFC 7515 section 4.1.11: an extension marked critical that is not understood makes the token invalid; we understand none.
  if (header === null || signature === null || "crit" in header) return refused("malformed");

  const key = chooseKey(header, keys);
  if (typeof key === "string") return refused(key);
  const signed = new TextEncoder().encode(`${parts[0]}.${parts[1]}`);
  if (!(await crypto.subtle.verify(ALGORITHMS[key.alg], key.crypto, signature, signed))) {
    return refused("bad_signature");
  }

  const claims = decodeJson(parts[1]);
  return claims === null ? refused("malformed") : checkClaims(claims, expected, now);
}

/** Picks the key by the header's alg and kid. The key's own algorithm must be the header's (RFC 8725 section 3.1). */
function chooseKey(header: Json, keys: readonly Key[]): Key | Reason {
  const { alg, kid } = header;
  if (alg !== "HS256" && alg !== "RS256") return "algorithm_not_allowed";
  const candidates = kid === undefined ? keys.filter((key) => key.alg === alg) : keys.filter((key) => key.kid === kid);
  if (candidates.length !== 1) return "unknown_key";
  return candidates[0].alg === alg ? candidates[0] : "algorithm_not_allowed";
}

function checkClaims(claims: Json, expected: Expected, now: number): Verdict {
  const { exp, nbf, iss, aud, sub } = claims;
  if (!isTime(exp)) return refused("no_expiry");
  if (now >= exp + expected.leewaySeconds) return refused("expired");
  if (nbf !== undefined && !(isTime(nbf) && now >= nbf - expected.leewaySeconds)) return refused("not_yet_valid");
  if (iss !== expected.issuer) return refused("wrong_issuer");
  if (aud !== expected.audience && !(Array.isArray(aud) && aud.includes(expected.audience))) {
    return refused("wrong_audience");
  }
  // It becomes a header's value: a space at its end would vanish there, and make one subject another.
  if (typeof sub !== "string" || !/^[\x21-\x7e]{1,255}$/.test(sub)) return refused("bad_subject");
  return { ok: true, subject: sub };
}

function refused(reason: Reason): Verdict {
  return { ok: false, reason };
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function decodeJson(part: string): Json | null {
  const bytes = decodeBase64Url(part);
  if (bytes === null) return null;
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Json : null;
  } catch {
    return null; // not UTF-8, or not JSON
  }
}

/** Decodes base64url without padding (RFC 7515 section 2), or returns null. */
function decodeBase64Url(text: string): Uint8Array<ArrayBuffer> | null {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return null;
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
