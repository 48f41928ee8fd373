// A Deno Deploy program as it is: the handler is handed to Deno.serve.

Deno.serve((request) => {
  const { pathname } = new URL(request.url);
  return new Response(`Hello from Deno.serve, you asked for ${pathname}\n`);
});
