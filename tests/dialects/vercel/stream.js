export const config = { runtime: "edge" };

export default async function handler() {
  const encoder = new TextEncoder();
  const stream = new ReadableStream({
    async start(controller) {
      for (const word of ["one", "two", "three"]) {
        controller.enqueue(encoder.encode(`<li>${word}</li>`));
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      controller.close();
    },
  });
  return new Response(stream, { headers: { "content-type": "text/html; charset=utf-8" } });
}
