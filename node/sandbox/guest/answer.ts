// Turns what a program's handler does into an answer: a response as it is, an exception into a 500 that the ingress marks.

import { exceededBody } from "./body.ts";
import { report } from "./report.ts";
import { TooManySubrequests } from "./subrequests.ts";

export type Handler = (request: Request, info: Deno.ServeHandlerInfo) => Response | Promise<Response>;
export type Program = (request: Request, info: Deno.ServeHandlerInfo) => unknown;

const RealResponse = Response;

/** Wrap a program's handler so that it always answers. */
export function answering(program: Program): Handler {
  return (request, info) => {
    try {
      const result = program(request, info);
      return result instanceof RealResponse ? result : settle(result, request);
    } catch (error) {
      return failure(error, request);
    }
  };
}

async function settle(result: unknown, request: Request): Promise<Response> {
  try {
    const response = await result;
    if (exceededBody(request)) return failure(null, request);
    if (response instanceof RealResponse) return response;
    throw new TypeError(`the handler returned ${response === null ? "null" : typeof response} in place of a Response`);
  } catch (error) {
    return failure(error, request);
  }
}

const MESSAGES = {
  exception: "The function threw an exception.",
  exceeded_subrequests: "The function sent too many requests.",
  exceeded_body: "The request's body is too large.",
};

/** The 500 or 413 that the ingress marks; an exception goes to the function's log. */
export function failure(error: unknown, request: Request): Response {
  const tooLarge = exceededBody(request);
  const reason = tooLarge ? "exceeded_body" : error instanceof TooManySubrequests ? "exceeded_subrequests" : "exception";
  if (!tooLarge) report.error(`${request.method} ${new URL(request.url).pathname}`, error, reason === "exception" ? reason : undefined);
  const message = MESSAGES[reason];
  const json = request.headers.get("accept")?.includes("application/json");
  const body = json ? JSON.stringify({ reason, message }) : `${reason}: ${message}`;
  const headers = { "content-type": json ? "application/json" : "text/plain; charset=utf-8", "x-nearhop-reason": reason };
  return new RealResponse(body + "\n", { status: tooLarge ? 413 : 500, headers });
}
