// Middleware and its protocol, which next(), rewrite() and NextResponse speak: x-middleware-next, -rewrite, -redirect, -override-headers
// and -request-* on the response. Plain headers, so a bundled next/server works.

import { passedOn } from "../request.ts";

/** What middleware decided: an answer, or another request to go on with and headers for what comes back. */
export type Outcome = { answer: Response } | { request: Request; headers: Headers };

const RealResponse = Response;
const PROTOCOL = /^x-middleware-/;

export function outcome(result: unknown, request: Request): Outcome {
  if (result === undefined || result === null) return { request, headers: new Headers() };
  if (!(result instanceof RealResponse)) throw new TypeError(`the middleware returned ${typeof result} in place of a Response`);
  const said = result.headers;
  const rewrite = said.get("x-middleware-rewrite");
  const redirect = said.get("x-middleware-redirect");
  if (redirect !== null) said.set("location", redirect);
  if (rewrite === null && said.get("x-middleware-next") !== "1") return { answer: plain(result) };
  return { request: changed(request, said, rewrite), headers: visible(said) };
}

function visible(headers: Headers): Headers {
  return new Headers([...headers].filter(([name]) => !PROTOCOL.test(name)));
}

function plain(response: Response): Response {
  if (![...response.headers.keys()].some((name) => PROTOCOL.test(name))) return response;
  return new RealResponse(response.body, { status: response.status, statusText: response.statusText, headers: visible(response.headers) });
}

/** The request that goes on: with the headers that the middleware put in place of the client's, and at the address that it named. */
function changed(request: Request, said: Headers, rewrite: string | null): Request {
  const overridden = said.get("x-middleware-override-headers");
  if (overridden === null && rewrite === null) return request;
  let headers = request.headers;
  if (overridden !== null) {
    headers = new Headers();
    for (const name of overridden.split(",").map((item) => item.trim()).filter((item) => item !== "")) {
      const value = said.get(`x-middleware-request-${name}`);
      if (value !== null) headers.set(name, value);
    }
  }
  const url = new URL(rewrite ?? request.url, request.url);
  return passedOn(url.href, request, headers);
}

/** Put the middleware's headers on the answer; its cookies are added, all others replace. */
export function merged(response: Response, headers: Headers): Response {
  if ([...headers].length === 0) return response;
  const answer = new RealResponse(response.body, response);
  for (const [name, value] of headers) {
    if (name === "set-cookie") answer.headers.append(name, value);
    else answer.headers.set(name, value);
  }
  return answer;
}
