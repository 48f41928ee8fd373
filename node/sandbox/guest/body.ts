// Bounds the body of a request whose header does not say how long it is. The ingress refuses what says that it is too long, and cannot count
// the rest as it passes. Only a program that reads such a body pays for it.

import { report } from "./report.ts";

const RealRequest = Request;
const RealTransform = TransformStream;
const RealError = TypeError;
const own = (name: string) => Object.getOwnPropertyDescriptor(RealRequest.prototype, name)!;
const readBody = own("body").get!;
const readUsed = own("bodyUsed").get!;
const readHeaders = own("headers").get!;
const realClone = RealRequest.prototype.clone;
const READERS = ["arrayBuffer", "blob", "bytes", "formData", "json", "text"] as const;

const exceeded = new WeakSet<Request>();
const standIns = new WeakMap<Request, Request>(); // what is read in a request's place; itself where nothing has to be counted
let standIn = (request: Request) => request;

/** Whether the program has met the end of what it may read of the body. */
export const exceededBody = (request: Request): boolean => exceeded.has(request);

/** A copy of *request*, at *url* when its body is one that is counted. */
export function cloned(request: Request, url: () => string): Request {
  const from = standIn(request);
  if (from === request) return realClone.call(request);
  const { method, signal, redirect } = request;
  return new RealRequest(url(), { method, signal, redirect, headers: readHeaders.call(request), body: readBody.call(realClone.call(from)) });
}

/** Let no more than *most* bytes be read of what *arrived* without a length. */
export function boundBodies(most: number, arrived: (request: Request) => boolean): void {
  if (most === Infinity) return;

  function counted(request: Request, body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    let left = most;
    return body.pipeThrough(
      new RealTransform<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          left -= chunk.byteLength;
          if (left >= 0) return controller.enqueue(chunk);
          exceeded.add(request);
          report.limit("exceeded_body", `more than ${most} bytes of a request's body`);
          throw new RealError("The request's body is too large.");
        },
      }),
    );
  }

  function make(request: Request): Request {
    if (!arrived(request) || readUsed.call(request) || readHeaders.call(request).has("content-length")) return request;
    const body = readBody.call(request);
    if (body === null) return request;
    const type = readHeaders.call(request).get("content-type");
    const headers: HeadersInit = type === null ? {} : { "content-type": type };
    return new RealRequest("http://body/", { method: "POST", headers, body: counted(request, body) });
  }

  standIn = (request) => {
    let found = standIns.get(request);
    if (found === undefined) standIns.set(request, found = make(request));
    return found;
  };
  const define = (name: string, value: object) => Object.defineProperty(RealRequest.prototype, name, { ...own(name), ...value });
  for (const name of READERS) {
    const real = own(name).value;
    define(name, { value: { [name](this: Request) { return real.call(standIn(this)); } }[name] });
  }
  define("body", { get(this: Request) { return readBody.call(standIn(this)); } });
  define("bodyUsed", { get(this: Request) { return readUsed.call(standIns.get(this) ?? this); } });
  define("clone", { value: function clone(this: Request) { return cloned(this, () => this.url); } });
}
