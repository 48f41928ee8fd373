const server = Deno.serve({ onListen: ({ port }) => console.log(typeof port) }, (_request, info) => {
  return Response.json({ transport: info.remoteAddr.transport, addr: server.addr.transport, finished: server.finished instanceof Promise });
});
