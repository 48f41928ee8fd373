import { NextResponse } from "next/server";
import { geolocation, ipAddress, waitUntil } from "@vercel/functions";

export const config = { matcher: ["/api/:path*", "/old"] };

export function middleware(request: Request) {
  const url = new URL(request.url);
  waitUntil(Promise.resolve().then(() => console.log("logged")));
  if (url.pathname === "/old") return NextResponse.redirect(new URL("/api/hello", request.url));
  if (url.pathname === "/api/json") return NextResponse.json({ geo: geolocation(request), ip: ipAddress(request) });
  if (url.pathname === "/api/alias") return NextResponse.rewrite(new URL("/api/hello", request.url));
  const headers = new Headers(request.headers);
  headers.set("x-user", "ada");
  const response = NextResponse.next({ request: { headers } });
  response.cookies.set("seen", "1");
  return response;
}
