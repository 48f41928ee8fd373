// Turns what a program's handler does into an answer: a response as it is, an exception into a 500 that the ingress marks.

import { report } from "./report.ts";

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

function failure(error: unknown, request: Request): Response {
  report.error(`${request.method} ${new URL(request.url).pathname}`, error);
  const message = "The function threw an exception.";
  const json = request.headers.get("accept")?.includes("application/json");
  const body = json ? JSON.stringify({ reason: "exception", message }) : `exception: ${message}`;
  const headers = { "content-type": json ? "application/json" : "text/plain; charset=utf-8", "x-nearhop-reason": "exception" };
  return new RealResponse(body + "\n", { status: 500, headers });
}
