function cookie(request, name) {
  const pairs = (request.headers.get("cookie") ?? "").split(/;\s*/).map((pair) => pair.split("="));
  return pairs.find(([key]) => key === name)?.[1];
}

export default {
  fetch(request) {
    const group = cookie(request, "group");
    if (group === "control" || group === "test") return new Response(`you are in ${group}`);
    const headers = new Headers({ "content-type": "text/plain" });
    headers.append("set-cookie", "group=test; path=/");
    headers.append("set-cookie", "seen=1; path=/; httponly");
    return new Response(`assigned, ${headers.getSetCookie().length} cookies`, { headers });
  },
};
