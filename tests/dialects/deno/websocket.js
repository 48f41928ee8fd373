Deno.serve((request) => {
  if (request.headers.get("upgrade") !== "websocket") return new Response(null, { status: 501 });
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.addEventListener("message", (event) => event.data === "ping" && socket.send("pong"));
  return response;
});
