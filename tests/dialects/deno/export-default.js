export default {
  fetch(request) {
    return Response.json({ method: request.method, agent: navigator.userAgent.startsWith("Deno/") });
  },
};
