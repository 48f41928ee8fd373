// crons of vercel.json: at its time each path is asked for as Vercel asks, by GET. Redirects are not followed; an answer of 400 and more is a failure.

import type { Scheduled } from "../control.ts";
import { arrived } from "../request.ts";

export interface Cron {
  path: string;
  schedule: string; // as the platform calls it
}

const RealRequest = Request;

/** Make what runs the paths that are due. *serve* answers requests; the name stands for the host, which a scheduled call does not have. */
export function calling(crons: Cron[], name: string, secret: string | undefined, serve: (request: Request) => unknown) {
  async function call(path: string, schedule: string): Promise<void> {
    const headers = new Headers({ "user-agent": "vercel-cron/1.0", "x-vercel-cron-schedule": schedule, host: name });
    if (secret) headers.set("authorization", `Bearer ${secret}`);
    const request = new RealRequest(`https://${name}${path}`, { headers });
    arrived(request, null);
    const answer = await serve(request) as Response;
    await answer.body?.pipeTo(new WritableStream());
    if (answer.status >= 400) throw new Error(`GET ${path} was answered with ${answer.status}`);
  }

  return async ({ cron }: Scheduled): Promise<void> => {
    const due = crons.filter(({ schedule }) => schedule === cron);
    if (due.length === 0) throw new Error(`no cron of vercel.json has the schedule ${cron}`);
    const done = await Promise.allSettled(due.map(({ path, schedule }) => call(path, schedule)));
    const failed = done.find((one) => one.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  };
}
