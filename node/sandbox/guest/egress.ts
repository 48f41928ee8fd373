// The way out: a client of the node's egress proxy, which every fetch and WebSocket of the program goes through. The proxy speaks TLS, so that
// it alone sees the network. What it refuses becomes a TypeError that names the reason. The proxy decides; nothing here is a wall.

const REASON = "x-nearhop-reason";

type ClientInit = RequestInit & { client?: Deno.HttpClient };

export interface Egress {
  /** Like fetch, through the proxy. */
  fetch(input: Request | string, init: RequestInit): Promise<Response>;
  /** The client, for a WebSocket. */
  client: Deno.HttpClient;
}

/** Return the way out by the proxy on *path*; null leaves what the engine's own permissions allow. */
export function connectEgress(host: typeof Deno, path: string | null): Egress | null {
  if (path === null) return null;
  const realFetch = globalThis.fetch;
  let made: Deno.HttpClient | undefined; // at the first request: a client takes milliseconds to make
  const client = () => made ??= host.createHttpClient({ proxy: { transport: "unix", path } });
  return {
    get client() {
      return client();
    },
    async fetch(input, init) {
      const answer = await realFetch(input, { ...init, client: client() } as ClientInit);
      const reason = answer.headers.get(REASON);
      if (answer.status < 400 || reason === null || !reason.startsWith("egress_")) return answer;
      const { message } = await answer.json() as { message: string };
      throw new TypeError(`${message} (${reason})`);
    },
  };
}
