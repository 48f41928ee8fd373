// The field "where would this client go?": an address, a country, a city or degrees, with suggestions under it.

import { h, setAttribute } from "../dom.ts";
import type { Places, Target } from "../places.ts";

export class Search {
  onTarget: (target: Target) => void = () => {};
  root: HTMLElement;
  private input: HTMLInputElement;
  private list = h("ul", { id: "suggestions", role: "listbox", "aria-label": "Places", hidden: true });
  private targets: Target[] = [];
  private active = 0;

  constructor(private places: Places) {
    this.input = h("input", {
      type: "search",
      id: "client",
      role: "combobox",
      autocomplete: "off",
      spellcheck: "false",
      placeholder: "IP, country, city, or click the map",
      "aria-label": "Where would this client go? An IP, a country or a city",
      "aria-expanded": "false",
      "aria-controls": "suggestions",
      "aria-autocomplete": "list",
      oninput: () => this.suggest(),
      onkeydown: (event) => this.key(event as KeyboardEvent),
      onblur: () => this.close(),
      onfocus: () => this.suggest(),
    });
    this.root = h("div", { class: "search" }, this.input, h("kbd", { "aria-hidden": "true" }, "/"), this.list);
  }

  focus(): void {
    this.input.focus();
    this.input.select();
  }

  set(text: string): void {
    if (document.activeElement !== this.input) this.input.value = text;
  }

  private suggest(): void {
    this.targets = this.places.search(this.input.value);
    this.active = 0;
    this.draw();
  }

  private draw(): void {
    this.list.replaceChildren(...this.targets.map((target, index) =>
      h(
        "li",
        {
          id: `suggestion-${index}`,
          role: "option",
          "aria-selected": index === this.active ? "true" : "false",
          // Before the field loses focus, which closes the list.
          onmousedown: (event) => {
            event.preventDefault();
            this.choose(target);
          },
        },
        h("span", {}, target.label),
        h("span", { class: "muted" }, target.hint),
      )
    ));
    const open = this.targets.length > 0;
    this.list.hidden = !open;
    setAttribute(this.input, "aria-expanded", open ? "true" : "false");
    setAttribute(this.input, "aria-activedescendant", open ? `suggestion-${this.active}` : null);
  }

  private key(event: KeyboardEvent): void {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.active = (this.active + step + this.targets.length) % Math.max(1, this.targets.length);
      this.draw();
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.submit();
    } else if (event.key === "Escape") {
      this.close();
      this.input.blur();
    }
  }

  private submit(): void {
    if (this.list.hidden) this.targets = this.places.search(this.input.value);
    const text = this.input.value.trim();
    if (!text) return;
    // Words that are no known place are tried as an address: the answer then says what is wrong with them.
    this.choose(this.targets[this.active] ?? { kind: "ip", ip: text, label: text, hint: "" });
  }

  private choose(target: Target): void {
    this.input.value = target.label;
    this.close();
    this.onTarget(target);
  }

  private close(): void {
    this.targets = [];
    this.draw();
  }
}
