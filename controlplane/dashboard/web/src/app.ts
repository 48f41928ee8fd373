// What every view is given, and what a view is.

import type { Places } from "./places.ts";
import type { Change, Store } from "./store.ts";

export interface App {
  store: Store;
  places: Places;
  go(url: string): void;
  tell(message: string, kind?: "good" | "bad"): void;
  // Asks before something that clients notice; true when the person said yes.
  sure(question: string, detail: string, yes: string): Promise<boolean>;
  // Runs an action, tells what came of it, and remembers when the API refuses this person's token the actions of *scope*.
  attempt(scope: string, work: () => Promise<string>): Promise<void>;
}

export interface View {
  title: string;
  root: HTMLElement;
  // The URL has changed within this view.
  show(url: URL): void;
  update(changes: Set<Change>): void;
  leave(): void;
}
