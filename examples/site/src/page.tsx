// The frame of every rendered page. What stands between braces is escaped.

import type { Child } from "hono/jsx";

export function Page({ shop, title, children }: { shop: string; title: string; children?: Child }) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>{`${title} · ${shop}`}</title>
        <link rel="stylesheet" href="/style.css" />
      </head>
      <body>
        <h1>{title}</h1>
        {children}
        <footer>
          <a href="/about">About {shop}</a>
        </footer>
      </body>
    </html>
  );
}
