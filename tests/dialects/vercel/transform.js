export const config = { runtime: "edge" };

export default (request) => {
  const upper = new TransformStream({ transform: (chunk, controller) => controller.enqueue(chunk.toUpperCase()) });
  const body = request.body?.pipeThrough(new TextDecoderStream()).pipeThrough(upper).pipeThrough(new TextEncoderStream());
  return new Response(body ?? "nothing", { headers: { "x-transformed": String(body !== undefined) } });
};
