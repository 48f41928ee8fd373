// Counts the requests that one incoming request causes. Calls outside of any request share one budget, which is whole again every second.

import { report } from "./report.ts";
import type { Store } from "./store.ts";

export interface Budget {
  left: number;
  told: boolean;
}

const RealError = Error;
const now = performance.now.bind(performance);

export class TooManySubrequests extends RealError {
  override name = "Error";
}

export interface Subrequests {
  /** Count one outgoing request. Throws when there were too many. */
  spend(): void;
  /** Run the handling of one incoming request with a budget of its own. */
  run<T>(handle: () => T): T;
}

export function countSubrequests(limit: number, store?: Store<Budget>): Subrequests {
  let outside: Budget = { left: limit, told: false };
  let until = 0;

  function shared(): Budget {
    if (now() >= until) {
      until = now() + 1000;
      outside = { left: limit, told: false };
    }
    return outside;
  }

  return {
    spend() {
      if (limit === Infinity) return;
      const budget = store?.get() ?? shared();
      if (budget.left-- > 0) return;
      if (!budget.told) report.limit("exceeded_subrequests", `more than ${limit} outgoing requests`);
      budget.told = true;
      throw new TooManySubrequests("Too many subrequests.");
    },
    run: store === undefined ? (handle) => handle() : (handle) => store.run({ left: limit, told: false }, handle),
  };
}
