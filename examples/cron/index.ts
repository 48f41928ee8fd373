// Does something every minute, and tells what it did. The platform calls scheduled() once in the whole fleet.

interface Controller {
  cron: string;
  scheduledTime: number;
}

interface Env {
  TITLE: string;
}

interface Context {
  waitUntil(promise: Promise<unknown>): void;
}

interface Run {
  cron: string;
  at: string;
  items: number;
}

const runs: Run[] = []; // of this sandbox: another node has another list

async function collect(): Promise<string[]> {
  await new Promise((resolve) => setTimeout(resolve, 10)); // your feed, report or clean-up
  return ["one", "two", "three"];
}

export default {
  fetch(_request: Request, env: Env): Response {
    return Response.json({ title: env.TITLE, runs });
  },

  async scheduled(controller: Controller, env: Env, ctx: Context): Promise<void> {
    const items = await collect();
    runs.push({ cron: controller.cron, at: new Date(controller.scheduledTime).toISOString(), items: items.length });
    runs.splice(0, runs.length - 10);
    ctx.waitUntil(Promise.resolve().then(() => console.log(`${env.TITLE}: ${items.length} items`)));
  },
};
