// What a dialect's loader is given, and what it makes of a program.

import type { Geo } from "./geo.ts";
import type { Assets } from "./assets.ts";
import type { Program } from "./answer.ts";
import type { Settings } from "./settings.ts";

export interface Services {
  geo?: Geo;
  assets?: Assets;
}

export interface Given {
  host: typeof Deno;
  settings: Settings;
  source: string;
  services: Services;
}

/** Import the program. What it may see must be in place before. */
export type Load = () => Promise<Record<string, unknown>>;

export interface Dialect {
  /** Load what the program's text names, while files can still be read; the result puts the globals in place and makes a handler of the program. */
  prepare(given: Given): Promise<(load: Load) => Promise<Program>>;
}
