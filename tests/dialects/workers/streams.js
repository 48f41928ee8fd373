export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/identity") {
      const { readable, writable } = new IdentityTransformStream();
      request.body.pipeTo(writable);
      return new Response(readable);
    }
    if (pathname === "/fixed") {
      const { readable, writable } = new FixedLengthStream(5);
      const writer = writable.getWriter();
      writer.write(new TextEncoder().encode("hello")).then(() => writer.close());
      return new Response(readable);
    }
    if (pathname === "/tee") {
      const [left, right] = request.body.tee();
      return new Response(`${await new Response(left).text()}+${await new Response(right).text()}`);
    }
    const lines = new ReadableStream({
      async start(controller) {
        for (let i = 0; i < 3; i++) {
          await scheduler.wait(1);
          controller.enqueue(`line ${i}\n`);
        }
        controller.close();
      },
    });
    return new Response(lines.pipeThrough(new TextEncoderStream()), { headers: { "content-type": "text/plain" } });
  },
};
