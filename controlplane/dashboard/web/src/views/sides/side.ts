// What stands beside the map: the fleet, one node, or one decision.

import type { Change } from "../../store.ts";

export interface Side {
  root: HTMLElement;
  update(changes: Set<Change>): void;
  leave(): void;
}
