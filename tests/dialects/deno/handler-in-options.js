Deno.serve({
  handler: (request) => {
    if (new URL(request.url).pathname === "/throw") throw new Error("mine");
    return new Response("fine");
  },
  onError: (error) => new Response(`caught ${error.message}`, { status: 500 }),
});
