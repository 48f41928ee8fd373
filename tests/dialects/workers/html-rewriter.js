class Links {
  constructor(attribute) {
    this.attribute = attribute;
  }
  element(element) {
    const value = element.getAttribute(this.attribute);
    if (value?.startsWith("http:")) element.setAttribute(this.attribute, value.replace("http:", "https:"));
  }
}

export default {
  fetch(request) {
    const page = `<!DOCTYPE html><html><head><title>Old</title><!-- secret --></head><body>
      <a href="http://a.example/">a</a><img src="http://b.example/i.png"><p class="x">one &amp; two</p><p>three</p><div><span>in</span></div></body></html>`;
    const rewriter = new HTMLRewriter()
      .on("a", new Links("href"))
      .on("img", new Links("src"))
      .on("title", { element: (e) => e.setInnerContent("New <b>", { html: false }) })
      .on("p.x", { text: (t) => t.lastInTextNode ? t.replace(t.text + "!") : undefined })
      .on("div > span", { element: (e) => e.before("<i>before</i>", { html: true }).after("<after>").tagName = "em" })
      .on("p:not(.x)", { element: (e) => e.removeAndKeepContent() })
      .on("body", { element: (e) => { e.prepend("<header></header>", { html: true }); e.append("end"); } })
      .onDocument({
        doctype: (d) => console.log(d.name),
        comments: (c) => c.remove(),
        end: (end) => end.append("<!-- made at the edge -->", { html: true }),
      });
    return rewriter.transform(new Response(page, { headers: { "content-type": "text/html;charset=UTF-8", "x-kept": "1" } }));
  },
};
