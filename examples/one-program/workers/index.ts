import { greet } from "../greeting.ts";

export default {
  fetch: (request: Request & { cf?: { country?: string } }) => greet(request, request.cf?.country),
};
