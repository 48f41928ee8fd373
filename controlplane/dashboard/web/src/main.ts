// The frame round the views: navigation, the state of the connection, theme, keys, and which view a URL shows.

import { explain, openSession, Refusal, signIn, signOut } from "./api.ts";
import type { App, View } from "./app.ts";
import { h, replace, s, setAttribute, setText } from "./dom.ts";
import { duration } from "./format.ts";
import { loadPlaces, Places } from "./places.ts";
import { Store } from "./store.ts";
import { EventsView } from "./views/events.ts";
import { FunctionView } from "./views/function.ts";
import { FunctionsView } from "./views/functions.ts";
import { loginPage } from "./views/login.ts";
import { MapView } from "./views/map.ts";
import { NodeView } from "./views/node.ts";
import { NodesView } from "./views/nodes.ts";
import { link } from "./views/parts.ts";

const THEMES = ["auto", "light", "dark"] as const;
const RETRY_MS = 2000;
const TOLD_MS = 6000;
const STALE_S = 5; // a reading a second, and some patience

const ICONS: Record<string, string> = {
  map: "M1,3.5L5.5,1.5L10.5,3.5L15,1.5V12.5L10.5,14.5L5.5,12.5L1,14.5ZM5.5,1.5V12.5M10.5,3.5V14.5",
  functions: "M5,2.5L1.5,8L5,13.5M11,2.5L14.5,8L11,13.5M9,3L7,13",
  nodes: "M2,2.5H14V7H2ZM2,9H14V13.5H2ZM4.5,4.75H5M4.5,11.25H5",
  events: "M8,1.5A6.5,6.5 0 1,0 8,14.5A6.5,6.5 0 1,0 8,1.5M8,4.5V8L10.5,9.5",
};

class Frame implements App {
  store = new Store();
  places = new Places();
  private view: View | null = null;
  private viewKey = "";
  private map: MapView | null = null;
  private main = h("main", { id: "content", tabindex: -1 });
  private banner = h("p", { class: "banner", role: "status", hidden: true });
  private status = h("span", { class: "status" }, h("i", { "aria-hidden": "true" }));
  private statusWord = h("span");
  private told = h("div", { class: "told", role: "status", "aria-live": "polite" });
  private nav = h("nav", { "aria-label": "Views" });
  private exit = h("button", { type: "button", class: "plain-button", hidden: true, onclick: () => void this.leave() }, "Sign out");
  private shell: HTMLElement;

  constructor() {
    const items = (["map", "functions", "nodes", "events"] as const).map((name) =>
      link(
        this,
        `/${name}`,
        { "data-view": name },
        s("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, s("path", { d: ICONS[name] })),
        h("span", {}, name[0].toUpperCase() + name.slice(1)),
      )
    );
    replace(this.nav, ...items);
    this.status.append(this.statusWord);
    this.shell = h(
      "div",
      { class: "shell" },
      h("a", { class: "skip", href: "#content" }, "Skip to the content"),
      h(
        "header",
        { class: "rail" },
        link(this, "/map", { class: "brand", "aria-label": "Nearhop, to the map" }, mark(), h("span", {}, "Nearhop")),
        this.nav,
        h("div", { class: "rail-foot" }, this.status, themeButton(), this.exit),
      ),
      this.banner,
      this.main,
      this.told,
    );
    this.store.subscribe((changes) => {
      this.drawLink();
      this.view?.update(changes);
    });
    this.store.onLost = () => void this.open();
    addEventListener("popstate", () => this.route());
    addEventListener("keydown", (event) => this.key(event));
  }

  async start(): Promise<void> {
    document.body.replaceChildren(this.shell);
    loadPlaces().then(
      (file) => (this.places.fill(file), this.store.announce("flows", "nodes")),
      () => this.tell("The list of places could not be loaded", "bad"),
    );
    await this.open();
  }

  go(url: string): void {
    if (url === location.pathname + location.search) return;
    history.pushState(null, "", url);
    this.route();
  }

  tell(message: string, kind: "good" | "bad" = "good"): void {
    const note = h("p", { class: kind }, message);
    this.told.append(note);
    setTimeout(() => note.remove(), TOLD_MS);
  }

  sure(question: string, detail: string, yes: string): Promise<boolean> {
    return new Promise((resolve) => {
      const dialog = h(
        "dialog",
        {
          "aria-label": question,
          onclose: () => {
            resolve(dialog.returnValue === "yes");
            dialog.remove();
          },
        },
        h(
          "form",
          { method: "dialog" },
          h("h2", {}, question),
          h("p", {}, detail),
          h(
            "p",
            { class: "row" },
            h("button", { class: "button", value: "no" }, "Cancel"),
            h("button", { class: "button primary", value: "yes" }, yes),
          ),
        ),
      );
      document.body.append(dialog);
      dialog.showModal();
    });
  }

  async attempt(scope: string, work: () => Promise<string>): Promise<void> {
    try {
      this.tell(await work());
    } catch (error) {
      if (error instanceof Refusal && error.code === "PERMISSION_DENIED") {
        this.store.denied.add(scope);
        this.store.announce("nodes", "functions", "link");
      }
      this.tell(explain(error), "bad");
    }
  }

  // Makes sure of a session, then listens; asks for a token when the control plane wants one. Views read only once there is a session.
  private async open(): Promise<void> {
    try {
      const given = takeToken();
      let state = await openSession();
      if (given) state = await signIn(given).catch((error) => (this.tell(explain(error), "bad"), state));
      if (state === "token_required") this.askForToken();
      else this.enter(state === "signed_in");
    } catch {
      this.store.away = true;
      this.store.announce("link");
      setTimeout(() => void this.open(), RETRY_MS);
    }
  }

  private askForToken(): void {
    this.store.disconnect();
    document.body.replaceChildren(loginPage(() => {
      this.store.denied.clear();
      this.enter(true);
    }));
  }

  private enter(signedIn: boolean): void {
    this.exit.hidden = !signedIn;
    if (!this.shell.isConnected) document.body.replaceChildren(this.shell);
    if (!this.view) this.route();
    this.store.connect();
  }

  private async leave(): Promise<void> {
    this.store.disconnect();
    await signOut().catch((error) => this.tell(explain(error), "bad"));
    // Nothing that the token could see stays in the page.
    location.reload();
  }

  private route(): void {
    const url = new URL(location.href);
    const [, name = "map", rest] = url.pathname.split("/");
    const key = rest ? `${name}/${rest}` : name;
    if (key !== this.viewKey || !this.view) {
      this.view?.leave();
      this.viewKey = key;
      this.view = this.make(name, rest);
      this.main.replaceChildren(this.view.root);
      if (document.activeElement !== document.body) this.main.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    for (const item of this.nav.children) setAttribute(item, "aria-current", (item as HTMLElement).dataset.view === name ? "page" : null);
    document.title = `${this.view.title} · Nearhop`;
    this.view.show(url);
  }

  private make(name: string, rest: string | undefined): View {
    if (name === "functions") return rest ? new FunctionView(this, rest) : new FunctionsView(this);
    if (name === "nodes") return rest ? new NodeView(this, rest) : new NodesView(this);
    if (name === "events") return new EventsView(this);
    this.map ??= new MapView(this);
    return this.map;
  }

  private drawLink(): void {
    const { link: state, away } = this.store;
    const age = this.store.age();
    const old = age === null ? "nothing is known yet" : `state of ${duration(age)} ago`;
    let [mood, word, sentence] = ["wait", "connecting", ""];
    if (away) [mood, word, sentence] = ["bad", "dashboard unreachable", `The dashboard does not answer, ${old}.`];
    else if (state?.state === "connected" && age !== null && age > STALE_S) {
      [mood, word, sentence] = ["warn", "slow", `The control plane is slow to answer, ${old}.`];
    } else if (state?.state === "connected") [mood, word] = ["good", "live"];
    else if (state?.state === "unreachable") {
      [mood, word, sentence] = ["bad", "control plane unreachable", `Control plane unreachable, ${old}. Nodes and routers go on without it.`];
    } else if (state?.state === "refused") [mood, word, sentence] = ["bad", "refused", `The control plane refuses: ${state.error?.message ?? ""}`];
    setAttribute(this.status, "class", `status ${mood}`);
    setAttribute(this.status, "title", state ? `${word}: ${state.endpoint}` : word);
    setText(this.statusWord, word);
    setText(this.banner, sentence);
    this.banner.hidden = !sentence;
    setAttribute(this.shell, "class", mood === "bad" || mood === "warn" ? "shell old" : "shell");
  }

  private key(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    if (event.ctrlKey || event.metaKey || event.altKey || target.matches("input, select, textarea, dialog *")) return;
    const views: Record<string, string> = { "1": "/map", "2": "/functions", "3": "/nodes", "4": "/events" };
    if (views[event.key]) this.go(views[event.key]);
    else if (event.key === "Escape" && this.viewKey === "map") this.go("/map");
    else if (event.key === "/") {
      event.preventDefault();
      if (this.viewKey !== "map") this.go("/map");
      this.map?.focusSearch();
    }
  }
}

// A link may bring a token behind its #, which no server and no log ever sees; it leaves the address bar and the history at once.
function takeToken(): string {
  const match = /^#token=(.+)$/.exec(location.hash);
  if (!match) return "";
  history.replaceState(null, "", location.pathname + location.search);
  return decodeURIComponent(match[1]);
}

function mark(): SVGSVGElement {
  return s(
    "svg",
    { viewBox: "0 0 24 24", class: "mark", "aria-hidden": "true" },
    s("path", { d: "M3,17C6,7 14,5 20.5,9.5" }),
    s("circle", { cx: 4, cy: 17.5, r: 2.4 }),
    s("circle", { cx: 19.5, cy: 10, r: 3.6 }),
  );
}

function themeButton(): HTMLElement {
  const button = h("button", { type: "button", class: "plain-button" });
  const use = (theme: string) => {
    document.documentElement.dataset.theme = theme;
    setText(button, `Theme: ${theme}`);
    localStorage.setItem("nearhop-theme", theme);
  };
  const stored = localStorage.getItem("nearhop-theme") ?? "auto";
  use(THEMES.find((theme) => theme === stored) ?? "auto");
  button.addEventListener("click", () => {
    const present = THEMES.findIndex((theme) => theme === document.documentElement.dataset.theme);
    use(THEMES[(present + 1) % THEMES.length]);
  });
  return button;
}

void new Frame().start();
