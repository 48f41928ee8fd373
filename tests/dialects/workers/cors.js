const CORS = { "access-control-allow-origin": "*", "access-control-allow-methods": "GET,HEAD,POST,OPTIONS", "access-control-max-age": "86400" };

export default {
  fetch(request) {
    if (request.method === "OPTIONS") {
      const asked = ["origin", "access-control-request-method", "access-control-request-headers"];
      if (asked.every((name) => request.headers.get(name) !== null)) {
        return new Response(null, { headers: { ...CORS, "access-control-allow-headers": request.headers.get("access-control-request-headers") } });
      }
      return new Response(null, { headers: { allow: "GET, HEAD, POST, OPTIONS" } });
    }
    const answer = new Response(JSON.stringify({ method: request.method }), { headers: { "content-type": "application/json" } });
    const response = new Response(answer.body, answer);
    response.headers.set("access-control-allow-origin", new URL(request.url).searchParams.get("origin") ?? "*");
    response.headers.append("vary", "Origin");
    return response;
  },
};
