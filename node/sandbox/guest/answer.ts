// Turns what a program's handler does into an answer: a response as it is, an exception into a 500 that the ingress marks.

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
    if (response instanceof RealResponse) return response;
    throw new TypeError(`the handler returned ${response === null ? "null" : typeof response} in place of a Response`);
  } catch (error) {
    return failure(error, request);
  }
}

/** The 500 that the ingress makes its page of; the exception goes to the function's log. */
export function failure(error: unknown, request: Request): Response {
  const reason = error instanceof TooManySubrequests ? "exceeded_subrequests" : "exception";
  report.error(`${request.method} ${new URL(request.url).pathname}`, error, reason === "exception" ? reason : undefined);
  const message = reason === "exception" ? "The function threw an exception." : "The function sent too many requests.";
  const json = request.headers.get("accept")?.includes("application/json");
  const body = json ? JSON.stringify({ reason, message }) : `${reason}: ${message}`;
  const headers = { "content-type": json ? "application/json" : "text/plain; charset=utf-8", "x-nearhop-reason": reason };
  return new RealResponse(body + "\n", { status: 500, headers });
}
