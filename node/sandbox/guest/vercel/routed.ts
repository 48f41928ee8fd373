// What vercel.json routes, round middleware, functions and files.

import type { Assets } from "../assets.ts";
import { passedOn } from "../request.ts";
import type { Files, Serve } from "./load.ts";
import { routes, type Routing } from "./routing.ts";

/** The function of a path, ready to be called. */
type Asked = (request: Request, path: string, among: Files) => (() => unknown) | null;

export interface Routed {
  /** Redirects before *serve*, and headers on what it answers. */
  around(serve: Serve): Serve;
  /** Functions and files by their own names, then what rewrites make of the path, then functions with parameters in their names. */
  onwards(files: Files, asked: Asked, assets: Assets | undefined, nothing: () => Response): Serve;
  /** Say that *made* stands for *answer*. */
  standsFor(made: Response, answer: Response): void;
}

const RealResponse = Response;

/** Compile what vercel.json says. Throws a TypeError for a rule that is none. */
export function route(routing: Routing): Routed {
  const { redirect, headers, rewrites } = routes(routing);
  const ofFiles = new WeakSet<Response>();

  /** In place of a file's own headers, beside a function's, which knows better. */
  async function dressed(more: [string, string][], answer: unknown): Promise<unknown> {
    const given = await answer;
    if (!(given instanceof RealResponse)) return given;
    const made = new RealResponse(given.body, given);
    const own = ofFiles.has(given) ? new Set<string>() : new Set(given.headers.keys());
    for (const [name, value] of more) if (!own.has(name.toLowerCase())) made.headers.set(name, value);
    return made;
  }

  return {
    around: (serve) => (request) => {
      const away = redirect(request);
      if (away !== null) return away;
      const more = headers(request);
      return more === null ? serve(request) : dressed(more, serve(request));
    },
    standsFor(made, answer) {
      if (ofFiles.has(answer)) ofFiles.add(made);
    },
    onwards(files, asked, assets, nothing) {
      const named = files.filter(({ route }) => !route.dynamic);
      const dynamic = files.filter(({ route }) => route.dynamic);

      async function file(request: Request, path: string): Promise<Response | undefined> {
        if (assets === undefined || !["GET", "HEAD"].includes(request.method)) return undefined;
        const ask = (to: string) => assets.fetch(passedOn(new URL(to, request.url).href, request));
        let answer = await ask(path);
        // What a rewrite names is shown, also where the file server has a shorter name for it: /index.html is /.
        const shorter = path === new URL(request.url).pathname ? null : answer.headers.get("location");
        if (answer.status === 307 && shorter !== null) answer = await ask(shorter);
        if (answer.status !== 404) ofFiles.add(answer);
        return answer;
      }

      return async (request) => {
        let path = new URL(request.url).pathname;
        let absent: Response | undefined;
        const found = async (): Promise<(() => unknown) | null> => {
          const own = asked(request, path, named);
          if (own !== null) return own;
          const answer = await file(request, path);
          if (answer?.status !== 404) return answer === undefined ? null : () => answer;
          absent = answer;
          return null;
        };
        const first = await found();
        if (first !== null) return first();
        for (const rewrite of rewrites) {
          const to = rewrite(request, path);
          if (to === null) continue;
          const url = new URL(to, request.url);
          if (!to.startsWith("/")) return await fetch(passedOn(queried(request, url), request), { redirect: "manual" });
          // The function sees the path that the client asked for, and what the rewrite adds to the query.
          const seen = new URL(request.url);
          if (url.search !== "") request = passedOn(queried(request, new URL(seen.pathname + url.search, seen)), request);
          path = url.pathname;
          const own = await found();
          if (own !== null) return own();
        }
        const own = asked(request, path, dynamic);
        return own === null ? absent ?? assets?.fetch(request) ?? nothing() : own();
      };
    },
  };
}

/** *to* with the request's query, of which its own takes precedence. */
function queried(request: Request, to: URL): string {
  const asked = new URL(request.url).searchParams;
  for (const name of new Set(to.searchParams.keys())) asked.delete(name);
  for (const [name, value] of to.searchParams) asked.append(name, value);
  const url = new URL(to);
  url.search = asked.toString();
  return url.href;
}
