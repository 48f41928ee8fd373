// The sample function of a fresh cluster: it tells which region answered, and from which country it was asked.
export default {
  fetch(request) {
    const region = request.headers.get("x-nearhop-region") ?? "an unknown region";
    const country = request.headers.get("x-nearhop-country") ?? "XX";
    return new Response(`Hi from ${region} to ${country}\n`);
  },
};
