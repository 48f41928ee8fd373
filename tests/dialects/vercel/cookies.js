export const config = { runtime: "edge" };

export default (request) => {
  const theme = /(?:^|;\s*)theme=(\w+)/.exec(request.headers.get("cookie") ?? "")?.[1] ?? "light";
  const headers = new Headers();
  headers.append("set-cookie", `theme=${theme}; Path=/; Max-Age=60`);
  headers.append("set-cookie", "second=2");
  return new Response(theme, { headers });
};
