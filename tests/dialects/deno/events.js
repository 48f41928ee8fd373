Deno.serve(() => {
  let timer;
  let count = 0;
  const body = new ReadableStream({
    start(controller) {
      timer = setInterval(() => {
        controller.enqueue(`data: ${++count}\n\n`);
        if (count === 3) {
          clearInterval(timer);
          controller.close();
        }
      }, 2);
    },
    cancel: () => clearInterval(timer),
  });
  return new Response(body.pipeThrough(new TextEncoderStream()), { headers: { "content-type": "text/event-stream" } });
});
