import { greet } from "../greeting.ts";

Deno.serve((request) => greet(request, request.headers.get("x-nearhop-country")));
