// The version's static files: asked of the node's file server over its socket. The digest of the pack is fixed here, so that a program
// reaches its own files and no others.

import type { Settings } from "./settings.ts";

export interface Assets {
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
}

/** Connect to the file server. */
export function connectAssets(host: typeof Deno, settings: Settings): Assets {
  const client = host.createHttpClient({ proxy: { transport: "unix", path: settings.sockets.assets! } });
  const digest = settings.manifest.assets!.digest;
  const realFetch = globalThis.fetch;
  const RealRequest = Request;
  return {
    async fetch(input, init) {
      const request = input instanceof RealRequest && init === undefined ? input : new globalThis.Request(input, init);
      if (request.method !== "GET" && request.method !== "HEAD") return new Response(null, { status: 405, headers: { allow: "GET, HEAD" } });
      const { pathname, search } = new URL(request.url);
      const headers = new Headers(request.headers);
      headers.set("x-nearhop-assets", digest);
      headers.delete("host");
      headers.set("accept-encoding", "identity"); // fetch() would decode another, and the program would see what it is no more
      const reply = await realFetch(`http://assets${pathname}${search}`, { client, method: request.method, headers, redirect: "manual" });
      const answer = new Response(reply.body, reply);
      for (const name of [...answer.headers.keys()]) if (name.startsWith("x-nearhop-")) answer.headers.delete(name);
      return answer;
    },
  };
}
