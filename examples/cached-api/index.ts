// Answers from an API that is slow and counts its calls: each node asks once in a while, everybody else gets what it keeps.

interface Env {
  ORIGIN: string;
  FRESH_S?: string;
}

interface Context {
  waitUntil(promise: Promise<unknown>): void;
}

export default {
  async fetch(request: Request, env: Env, ctx: Context): Promise<Response> {
    if (request.method !== "GET") return new Response("GET only\n", { status: 405, headers: { allow: "GET" } });
    const { pathname, search } = new URL(request.url);
    const key = new Request(new URL(pathname + search, env.ORIGIN));
    const kept = await caches.default.match(key);
    if (kept !== undefined) return told(kept, "hit");

    const answer = await fetch(key);
    if (!answer.ok) return told(answer, "bypass");
    const response = new Response(answer.body, answer);
    response.headers.set("cache-control", `public, max-age=${env.FRESH_S ?? 60}`);
    response.headers.delete("set-cookie");
    ctx.waitUntil(caches.default.put(key, response.clone()));
    return told(response, "miss");
  },
};

function told(response: Response, state: string): Response {
  const answer = new Response(response.body, response);
  answer.headers.set("x-cache", state);
  answer.headers.set("cache-control", "no-store"); // what lies in front keeps nothing: this cache is the one to look at
  return answer;
}
