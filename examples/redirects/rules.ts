// CONFIGURATION: the rules, tried from the top. A target is a path of this site or a whole https: URL.
//
// 301 and 308 are permanent: browsers keep them. 307 and 308 repeat a POST as a POST; 301 and 302 make it a GET.

import type { Rule } from "./redirect.ts";

export const rules: Rule[] = [
  // The front page by the client's country.
  {
    exact: "/",
    to: "/en/",
    byCountry: { JP: "/ja/", BR: "/pt/", PT: "/pt/", DE: "/de/", AT: "/de/" },
    status: 302,
  },
  // One page that moved.
  { exact: "/about-us", to: "/about", status: 301 },
  { exact: "/signup", to: "/account?step=1", status: 307 },
  // A whole section that moved: what follows the prefix is kept.
  { prefix: "/docs/v1/", to: "/docs/v2/", status: 308 },
  { prefix: "/blog/", to: "https://blog.example.org/", status: 301 },
  { prefix: "/legacy/", to: "/", status: 302 },
];
