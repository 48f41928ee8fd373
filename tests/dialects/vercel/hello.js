export const config = { runtime: "edge" };

export default function handler(request) {
  const { searchParams } = new URL(request.url);
  return new Response(`Hello ${searchParams.get("name") ?? "world"} from ${request.method}`);
}
