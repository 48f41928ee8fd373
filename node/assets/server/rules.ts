// Patterns of _headers and _redirects: /a/:name/*, https://host/a. One * at most, one :name in a segment, so that a match takes time in
// proportion to the path, whatever a site's owner wrote. What the placeholders stood for is returned, null when the pattern does not fit.

export type Values = Record<string, string>;
export type Match = (host: string, path: string) => Values | null;

const PLACEHOLDER = /:([A-Za-z]\w*)/;

type Part = (text: string, values: Values) => boolean;

/** One segment between slashes (or one label of a host): literal text with at most one placeholder in it. */
function part(pattern: string): Part {
  const placeholder = PLACEHOLDER.exec(pattern);
  if (placeholder === null) return (text) => text === pattern;
  const before = pattern.slice(0, placeholder.index);
  const after = pattern.slice(placeholder.index + placeholder[0].length);
  return (text, values) => {
    if (text.length <= before.length + after.length || !text.startsWith(before) || !text.endsWith(after)) return false;
    values[placeholder[1]] = text.slice(before.length, text.length - after.length);
    return true;
  };
}

function all(parts: Part[], texts: string[], values: Values): boolean {
  return parts.every((fits, at) => fits(texts[at], values));
}

function wholePath(pattern: string): (path: string, values: Values) => boolean {
  const parts = pattern.split("/").map(part);
  return (path, values) => {
    const texts = path.split("/");
    return texts.length === parts.length && all(parts, texts, values);
  };
}

/** A pattern with a *: what is before it fits from the start, what is after it from the end, and * is the rest between them. */
function splatPath(pattern: string): (path: string, values: Values) => boolean {
  const star = pattern.indexOf("*");
  const head = pattern.slice(0, star).split("/");
  const tail = pattern.slice(star + 1).split("/");
  const prefix = head.pop()!;
  const suffix = tail.shift()!;
  const first = head.map(part);
  const last = tail.map(part);
  return (path, values) => {
    const texts = path.split("/");
    const middle = texts.slice(first.length, texts.length - last.length).join("/");
    if (texts.length < first.length + last.length + 1 || middle.length < prefix.length + suffix.length) return false;
    if (!middle.startsWith(prefix) || !middle.endsWith(suffix)) return false;
    if (!all(first, texts, values) || !all(last, texts.slice(texts.length - last.length), values)) return false;
    values.splat = middle.slice(prefix.length, middle.length - suffix.length);
    return true;
  };
}

export function compile(pattern: string): Match {
  const absolute = /^https:\/\/([^/]+)(\/.*)$/.exec(pattern);
  const path = absolute === null ? pattern : absolute[2];
  const labels = absolute === null ? null : absolute[1].toLowerCase().split(".").map(part);
  const fits = path.includes("*") ? splatPath(path) : wholePath(path);
  return (host, requested) => {
    const values: Values = {};
    if (labels !== null) {
      const texts = host.toLowerCase().split(".");
      if (texts.length !== labels.length || !all(labels, texts, values)) return null;
    }
    return fits(requested, values) ? values : null;
  };
}

export function isStatic(pattern: string): boolean {
  return !pattern.includes("*") && !PLACEHOLDER.test(pattern);
}

/** The template with each :name that the pattern had replaced by what it stood for. */
export function fill(template: string, values: Values): string {
  return template.replace(/:([A-Za-z]\w*)/g, (whole, name) => Object.hasOwn(values, name) ? values[name] : whole);
}
