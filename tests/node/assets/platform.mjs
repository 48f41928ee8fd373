// Serves a folder with Workers' own static assets: node platform.mjs PACKAGES FOLDER HTML_HANDLING NOT_FOUND_HANDLING. Prints the address.
import { createRequire } from "node:module";
import { join } from "node:path";

const [packages, directory, html_handling, not_found_handling] = process.argv.slice(2);
const { Miniflare } = createRequire(join(packages, "package.json"))("miniflare");
const miniflare = new Miniflare({
  modules: [{ type: "ESModule", path: "program.js", contents: "export default { fetch: (request, env) => env.ASSETS.fetch(request) };" }],
  compatibilityDate: "2025-04-01",
  assets: {
    directory,
    binding: "ASSETS",
    routerConfig: { has_user_worker: false },
    assetConfig: { html_handling, not_found_handling, compatibility_date: "2025-04-01", compatibility_flags: [] },
  },
  host: "127.0.0.1",
  port: 0,
});
console.log((await miniflare.ready).href);
