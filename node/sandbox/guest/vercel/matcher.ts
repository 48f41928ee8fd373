// Path patterns: config.matcher of middleware, in path-to-regexp's language as Next.js reads it, and the [name] patterns of files in api/.

const NAME = /^:([A-Za-z_]\w*)/;

/** The group that stands at *start* of *pattern*, its parentheses included. */
function group(pattern: string, start: number): string {
  let depth = 0;
  for (let i = start; i < pattern.length; i++) {
    if (pattern[i] === "\\") i++;
    else if (pattern[i] === "(") depth++;
    else if (pattern[i] === ")" && --depth === 0) return pattern.slice(start, i + 1);
  }
  throw new TypeError(`the matcher ${pattern} has an open parenthesis`);
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Compile "/blog/:slug*", "/((?!api|static).*)", "/:lang(en|de)/about" and the like. Throws a TypeError for what is no pattern. */
export function compile(pattern: string): RegExp {
  if (!pattern.startsWith("/")) throw new TypeError(`the matcher ${pattern} must begin with /`);
  let out = "";
  for (let i = 0; i < pattern.length;) {
    // A slash before a parameter belongs to it: "/:slug*" also matches nothing.
    const slash = pattern[i] === "/" ? "/" : "";
    const rest = pattern.slice(i + slash.length);
    const name = NAME.exec(rest);
    if (name === null && rest[0] !== "(") {
      out += slash === "" ? escaped(pattern[i]) : "/";
      i += 1;
      continue;
    }
    let next = i + slash.length + (name?.[0].length ?? 0);
    let body = "[^\\/#\\?]+?";
    if (pattern[next] === "(") {
      const own = group(pattern, next);
      body = own.slice(1, -1);
      next += own.length;
    }
    const modifier = /[?*+]/.test(pattern[next] ?? "") ? pattern[next++] : "";
    const repeated = modifier === "*" || modifier === "+" ? `(?:${body})(?:${slash}(?:${body}))*` : `(?:${body})`;
    out += modifier === "" || modifier === "+" ? slash + repeated : `(?:${slash}${repeated})?`;
    i = next;
  }
  return new RegExp(`^${out === "/" ? "" : out}[/#?]?$`, "i");
}

/** A function of the path that says whether one of *patterns* matches; without any every path does. */
export function matcher(patterns: string[]): (path: string) => boolean {
  const compiled = patterns.map(compile);
  return compiled.length === 0 ? () => true : (path) => compiled.some((pattern) => pattern.test(path));
}

export interface FileRoute {
  test(path: string): Record<string, string> | null;
  rank: string;
}

/** The route of a file in api/: "/api/users/[id]", "/api/[...rest]", "/api/[[...rest]]". */
export function fileRoute(pattern: string): FileRoute {
  const names: string[] = [];
  let rank = "";
  const out = pattern.replace(/\/+$/, "").split("/").slice(1).map((segment) => {
    const dynamic = /^\[(\[)?(\.\.\.)?([\w-]+)\]?\]$/.exec(segment);
    rank += dynamic === null ? "0" : dynamic[2] === undefined ? "1" : dynamic[1] === undefined ? "2" : "3";
    if (dynamic === null) return "/" + escaped(segment);
    names.push(dynamic[3]);
    if (dynamic[2] === undefined) return "/([^/]+)";
    return dynamic[1] === undefined ? "/(.+)" : "(?:/(.+))?";
  });
  const compiled = new RegExp(`^${out.join("")}/?$`);
  return {
    rank,
    test(path) {
      const found = compiled.exec(path);
      if (found === null) return null;
      return Object.fromEntries(names.flatMap((name, i) => found[i + 1] === undefined ? [] : [[name, decoded(found[i + 1])]]));
    },
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // not percent-encoded text: the program sees it as it came
  }
}
