// Lets a request through to the origin only with a valid bearer token; everything else is answered 401 here, at the edge.

import { config } from "./config.ts";
import { importKey, type Reason, verify } from "./jwt.ts";

const SUBJECT_HEADER = "x-verified-subject";
const DESCRIPTIONS: Record<Reason, string> = {
  malformed: "the token is malformed",
  algorithm_not_allowed: "the token's algorithm is not allowed for its key",
  unknown_key: "no configured key fits the token",
  bad_signature: "the signature does not match",
  no_expiry: "the token has no expiry",
  expired: "the token expired",
  not_yet_valid: "the token is not valid yet",
  wrong_issuer: "the token is from another issuer",
  wrong_audience: "the token is for another audience",
  bad_subject: "the token has no subject, or one that no header can carry",
};

// At import, so that a version with an unusable key or origin is refused by the nodes and never serves.
const keys = await Promise.all(config.keys.map(importKey));
const origin = config.origin === null ? null : new URL(config.origin);

export default {
  async fetch(request: Request): Promise<Response> {
    const token = bearerToken(request.headers.get("authorization"));
    if (token === null) return unauthorized(null);
    const verdict = await verify(token, keys, config, Date.now() / 1000);
    return verdict.ok ? forward(request, verdict.subject) : unauthorized(verdict.reason);
  },
};

/** Returns the credentials of a Bearer header (RFC 6750 section 2.1), null when there is none. */
function bearerToken(authorization: string | null): string | null {
  return authorization?.match(/^Bearer +(.+)$/i)?.[1] ?? null;
}

/** Answers 401. Without a token the challenge names no error (RFC 6750 section 3.1). */
function unauthorized(reason: Reason | null): Response {
  const challenge = `Bearer realm="${config.realm}"`;
  const headers = { "cache-control": "no-store", "www-authenticate": challenge };
  if (reason === null) return Response.json({ error: "unauthorized", reason: "no_token" }, { status: 401, headers });
  headers["www-authenticate"] = `${challenge}, error="invalid_token", error_description="${DESCRIPTIONS[reason]}"`;
  return Response.json({ error: "invalid_token", reason }, { status: 401, headers });
}

/** Sends the request on with the verified subject in place of the token, whatever the client put into that header. */
async function forward(request: Request, subject: string): Promise<Response> {
  if (origin === null) return new Response(`Hello, ${subject}\n`, { headers: { "cache-control": "no-store" } });
  const { pathname, search } = new URL(request.url);
  // Assigned part by part: resolving "//elsewhere/" against the origin would leave the origin.
  const target = new URL(origin);
  target.pathname = pathname;
  target.search = search;
  const headers = new Headers(request.headers);
  headers.delete("authorization");
  headers.delete("connection"); // it could name the subject's header as one for the next proxy to drop
  headers.set(SUBJECT_HEADER, subject);
  try {
    return await fetch(new Request(target, request), { headers, redirect: "manual" });
  } catch (error) {
    console.error(`origin ${origin.host} failed:`, error);
    return Response.json({ error: "bad_gateway", reason: "origin_unreachable" }, { status: 502 });
  }
}
