import { greet } from "../../greeting.ts";

export const runtime = "edge";
export const config = { runtime: "edge" };

export const GET = (request: Request) => greet(request, request.headers.get("x-vercel-ip-country"));
