export const runtime = "edge";

export function GET(request) {
  return Response.json({ query: Object.fromEntries(new URL(request.url).searchParams) });
}

export async function POST(request) {
  const body = await request.json();
  return Response.json({ received: body }, { status: 201 });
}
