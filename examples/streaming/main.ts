// Two ways to send an answer while it is being made: server-sent events, and a page whose slow part follows its head.

const encoder = new TextEncoder();
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function events(count: number, everyMs: number): Response {
  let timer: ReturnType<typeof setTimeout>;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      let sent = 0;
      const tick = () => {
        controller.enqueue(encoder.encode(`id: ${++sent}\ndata: ${JSON.stringify({ tick: sent })}\n\n`));
        if (sent < count) timer = setTimeout(tick, everyMs);
        else controller.close();
      };
      tick();
    },
    cancel: () => clearTimeout(timer), // the client went away
  });
  return new Response(body, { headers: { "content-type": "text/event-stream", "cache-control": "no-store" } });
}

function page(): Response {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const write = (text: string) => writer.write(encoder.encode(text));
  (async () => {
    await write("<!doctype html><title>Streaming</title><h1>At once</h1>\n");
    await pause(300); // a slow source
    await write("<p>A little later</p>\n");
    await writer.close();
  })().catch((error) => console.warn("the client went away", error));
  return new Response(readable, { headers: { "content-type": "text/html; charset=utf-8" } });
}

function shout(request: Request): Response {
  if (request.body === null) return new Response("POST a text\n", { status: 400 });
  const upper = new TransformStream<string, string>({
    transform: (text, controller) => controller.enqueue(text.toUpperCase()),
  });
  const body = request.body.pipeThrough(new TextDecoderStream()).pipeThrough(upper).pipeThrough(new TextEncoderStream());
  return new Response(body, { headers: { "content-type": "text/plain; charset=utf-8" } });
}

Deno.serve((request) => {
  switch (new URL(request.url).pathname) {
    case "/events":
      return events(3, 200);
    case "/shout":
      return shout(request);
    default:
      return page();
  }
});
