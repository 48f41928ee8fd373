// Puts the visitor's currency and prices into the page on its way out. The page is plain HTML with prices in US dollars; there is no script in it.

import { page } from "./page.ts";
import { currencyOf, price } from "./prices.ts";

export default {
  fetch(request: Request & { cf?: { country?: string } }): Response {
    const currency = currencyOf(request.cf?.country);
    const html = new Response(page, {
      headers: {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "private, no-store", // the same address has another page for each country
        "content-language": currency.language,
      },
    });
    return new HTMLRewriter()
      .on("html", { element: (html) => void html.setAttribute("lang", currency.language) })
      .on("[data-usd]", {
        element(element) {
          element.setInnerContent(price(Number(element.getAttribute("data-usd")), currency));
          element.removeAttribute("data-usd");
        },
      })
      .on("#greeting", { element: (element) => void element.setInnerContent(currency.greeting) })
      .transform(html);
  },
};
