import { env, WorkerEntrypoint } from "cloudflare:workers";

export default class extends WorkerEntrypoint {
  async fetch(request) {
    this.ctx.waitUntil(Promise.resolve());
    const { waitUntil } = this.ctx;
    let taken = "worked";
    try {
      waitUntil(Promise.resolve());
    } catch (error) {
      taken = [error.constructor.name, error.message.startsWith("Illegal invocation")];
    }
    return Response.json({ same: this.env.GREETING === env.GREETING, greeting: env.GREETING, method: request.method, taken });
  }
}
