// Greets with the region that served the request and the country that the client's address belongs to.

const countries = new Intl.DisplayNames("en", { type: "region" });

/** Names a country for people. The platform says XX for an address that its database does not know. */
function countryName(code: string): string {
  if (!/^[A-Z]{2}$/.test(code) || code === "XX") return "a country that I cannot tell";
  return `${countries.of(code)} (${code})`;
}

export default {
  fetch(request: Request): Response {
    const region = request.headers.get("x-nearhop-region") ?? "an unknown region";
    const country = request.headers.get("x-nearhop-country") ?? "XX";
    return new Response(`Hello from ${region}! You seem to be in ${countryName(country)}.\n`, {
      // Every client gets its own answer under the same URL, so no cache may keep it.
      headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" },
    });
  },
};
