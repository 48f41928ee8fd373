// Path patterns in path-to-regexp's language, as Next.js reads config.matcher of middleware and Vercel the sources of vercel.json, and the
// [name] patterns of files in api/.

type Kind = "text" | "literal" | "name" | "group" | "open" | "close" | "modifier";
type Piece = [kind: Kind, value: string];

/** The group that stands at *start* of *pattern*, its parentheses included. */
function group(pattern: string, start: number): string {
  let depth = 0;
  for (let i = start; i < pattern.length; i++) {
    if (pattern[i] === "\\") i++;
    else if (pattern[i] === "(" && ++depth > 1 && pattern[i + 1] !== "?") throw wrong(pattern, "has a group within a group: write (?:...)");
    else if (pattern[i] === ")" && --depth === 0) return pattern.slice(start, i + 1);
  }
  throw wrong(pattern, "has an open parenthesis");
}

const wrong = (pattern: string, reason: string) => new TypeError(`the matcher ${pattern} ${reason}`);
const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
const KINDS: Record<string, Kind> = { "{": "open", "}": "close", "*": "modifier", "+": "modifier", "?": "modifier" };

function pieces(pattern: string): Piece[] {
  const found: Piece[] = [];
  for (let i = 0; i < pattern.length;) {
    const char = pattern[i];
    let whole = char;
    if (char === "(") {
      whole = group(pattern, i);
      found.push(["group", whole.slice(1, -1)]);
    } else if (char === ":") {
      whole = /^:\w+/.exec(pattern.slice(i))?.[0] ?? "";
      if (whole === "") throw wrong(pattern, "has a : without a name");
      found.push(["name", whole.slice(1)]);
    } else if (char === "\\") {
      whole = pattern.slice(i, i + 2);
      found.push(["literal", whole.slice(1)]);
    } else found.push([KINDS[char] ?? "text", char]);
    i += whole.length;
  }
  return found;
}

export interface Pattern {
  regexp: RegExp;
  names: (string | null)[]; // of its groups, in order; null: a group without a name
}

/**
 * Compile "/blog/:slug*", "/((?!api|static).*)", "/:lang(en|de)/about", "/a{/:b}?" and the like. Throws a TypeError for what is no pattern.
 * *exact* minds case and a slash at the end.
 */
export function compile(pattern: string, exact = false): Pattern {
  if (!pattern.startsWith("/")) throw wrong(pattern, "must begin with /");
  const all = pieces(pattern);
  const names: (string | null)[] = [];
  let at = 0;
  let out = "";
  const take = (kind: Kind): string | undefined => all[at]?.[0] === kind ? all[at++][1] : undefined;
  const text = (): string => {
    const value = take("text") ?? take("literal");
    return value === undefined ? "" : value + text();
  };

  function parameter(before: string, name: string | undefined, body: string | undefined, after: string): string {
    const modifier = take("modifier") ?? "";
    const [prefix, suffix] = [escaped(before), escaped(after)];
    if (name === undefined && body === undefined) return `(?:${prefix}${suffix})${modifier}`;
    names.push(name ?? null);
    const one = body ?? (exact ? "[^/]+?" : "[^/#?]+?");
    if (prefix + suffix === "") return `(${one})${modifier}`;
    if (modifier === "" || modifier === "?") return `(?:${prefix}(${one})${suffix})${modifier}`;
    return `(?:${prefix}((?:${one})(?:${suffix}${prefix}(?:${one}))*)${suffix})${modifier === "*" ? "?" : ""}`;
  }

  while (at < all.length) {
    const char = take("text");
    const name = take("name");
    const body = take("group");
    if (name !== undefined || body !== undefined) {
      // A slash or a dot before a parameter belongs to it: "/:slug*" also matches nothing.
      const own = char === "/" || char === ".";
      out += (own ? "" : escaped(char ?? "")) + parameter(own ? char : "", name, body, "");
    } else if (char !== undefined) out += escaped(char);
    else if (take("open") !== undefined) {
      const [before, inner, pattern_, after] = [text(), take("name"), take("group"), text()];
      if (take("close") === undefined) throw wrong(pattern, "has an open brace");
      out += parameter(before, inner, pattern_, after);
    } else {
      const literal = take("literal");
      if (literal === undefined) throw wrong(pattern, `has a ${all[at][1]} that belongs to nothing`);
      out += escaped(literal);
    }
  }
  return { regexp: exact ? new RegExp(`^${out}$`) : new RegExp(`^${out === "/" ? "" : out}[/#?]?$`, "i"), names };
}

export interface Condition {
  type: "header" | "cookie" | "query" | "host";
  key?: string;
  value?: string;
}

export interface Matcher {
  source: string;
  has?: Condition[];
  missing?: Condition[];
}

/** Whether *has* and *missing* of a rule agree with the request; what they captured is added to the values. */
export type Agree = (rule: { has?: Condition[]; missing?: Condition[] }) => (request: Request, values?: Record<string, string>) => boolean;

/** A function that says whether one of *patterns* matches; without any every request does. */
export function matcher(patterns: (string | Matcher)[], agree?: Agree): (request: Request) => boolean {
  const rules = patterns.map((pattern) => {
    const rule = typeof pattern === "string" ? { source: pattern } : pattern;
    const conditions = rule.has === undefined && rule.missing === undefined ? undefined : agree!(rule);
    return { regexp: compile(rule.source).regexp, conditions };
  });
  if (rules.length === 0) return () => true;
  return (request) => {
    const path = new URL(request.url).pathname;
    return rules.some(({ regexp, conditions }) => regexp.test(path) && (conditions === undefined || conditions(request)));
  };
}

export interface FileRoute {
  dynamic: boolean; // whether its pattern has parameters
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
    dynamic: names.length > 0,
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
