// A shop whose pages are rendered at the edge, beside files that are served as they are.

import { Hono } from "hono";
import { Page } from "./page";
import { find, products } from "./products";

type Bindings = { SHOP: string; ASSETS: { fetch(request: Request): Promise<Response> } };

const app = new Hono<{ Bindings: Bindings }>();

app.get("/", (c) =>
  c.html(
    <Page shop={c.env.SHOP} title="Everything for outside">
      <p>Hello{c.req.header("cf-ipcountry") ? `, visitor from ${c.req.header("cf-ipcountry")}` : ""}!</p>
      <ul>
        {products.map((product) => (
          <li>
            <a href={`/products/${product.id}`}>{product.name}</a>
          </li>
        ))}
      </ul>
    </Page>,
    200,
    // The greeting is the visitor's own, so no cache may keep it.
    { "cache-control": "no-store" },
  ));

app.get("/products/:id", (c) => {
  const product = find(c.req.param("id"));
  if (product === undefined) return c.notFound();
  return c.html(
    <Page shop={c.env.SHOP} title={product.name}>
      <p>{product.text}</p>
    </Page>,
  );
});

// The page for what is not there is a file like the others; only its status is ours.
app.notFound(async (c) => {
  const page = await c.env.ASSETS.fetch(new Request(new URL("/missing", c.req.url)));
  return new Response(page.body, { status: 404, headers: page.headers });
});

export default app;
