// Signing in with an API token, when the control plane wants one.

import { explain, signIn } from "../api.ts";
import { h, setText } from "../dom.ts";

export function loginPage(done: () => void): HTMLElement {
  const token = h("input", { id: "token", type: "password", name: "token", autocomplete: "current-password", required: true, spellcheck: "false" });
  const trouble = h("p", { class: "bad", role: "alert" });
  const button = h("button", { type: "submit", class: "button primary" }, "Sign in");
  const submit = async () => {
    button.disabled = true;
    setText(trouble, "");
    try {
      await signIn(token.value.trim());
      done();
    } catch (error) {
      setText(trouble, explain(error));
      token.select();
    } finally {
      button.disabled = false;
    }
  };
  return h(
    "main",
    { class: "login", id: "content" },
    h(
      "form",
      {
        onsubmit: (event) => {
          event.preventDefault();
          void submit();
        },
      },
      h("h1", {}, "Nearhop"),
      h("p", { class: "muted" }, "This control plane wants an API token. Make one with ", h("code", {}, "nearhop token create NAME --role viewer")),
      h("label", { for: "token" }, "API token"),
      token,
      trouble,
      button,
    ),
  );
}
