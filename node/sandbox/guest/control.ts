// Calls of the agent among the requests: POST / with the secret that only agent and guest know. Today there is one: run what is scheduled.

import { explain } from "./report.ts";
import type { Program } from "./answer.ts";

export interface Scheduled {
  cron: string;
  scheduledTime: number; // ms since 1970
}

type Run = (event: Scheduled) => Promise<void>;

const RealResponse = Response;

/** Take control calls out of the requests. Without a secret there are none. */
export function controlled(program: Program, secret: string, run?: Run): Program {
  if (secret === "") return program;
  return (request, info) => {
    const claimed = request.method === "POST" ? request.headers.get("x-nearhop-control") : null;
    return claimed === null ? program(request, info) : answer(request, claimed === secret, run);
  };
}

async function answer(request: Request, known: boolean, run?: Run): Promise<Response> {
  if (!known) return new RealResponse("not the control secret of this sandbox\n", { status: 403 });
  const asked = request.headers.get("x-nearhop-scheduled");
  if (asked === null) return new RealResponse("no such control call\n", { status: 400 });
  if (run === undefined) return new RealResponse("the program exports no scheduled handler", { status: 500 });
  try {
    const { cron, scheduled_at } = JSON.parse(asked);
    const time = typeof scheduled_at === "number" ? scheduled_at * 1000 : Date.parse(scheduled_at);
    await run({ cron: String(cron), scheduledTime: Math.round(time) });
    return new RealResponse(null, { status: 200 });
  } catch (error) {
    return new RealResponse(explain(error), { status: 500 });
  }
}
