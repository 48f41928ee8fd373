// Runs one program on its home platform's local tool: node platform.mjs FOLDER workers|vercel PROGRAM VARS. Prints the address once it listens.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, dialect, program, vars] = process.argv.slice(2);
const require = createRequire(join(folder, "package.json"));
const env = JSON.parse(vars);

async function workers() {
  const { Miniflare } = require("miniflare");
  const script = readFileSync(program, "utf8");
  const modules = /^(export|import)\b/m.test(script);
  const miniflare = new Miniflare({
    ...(modules ? { modules: [{ type: "ESModule", path: "program.js", contents: script }] } : { script }),
    bindings: env,
    compatibilityDate: "2025-04-01",
    host: "127.0.0.1",
    port: 0,
  });
  return (await miniflare.ready).href;
}

// The rules that Vercel wraps round an edge function: the default export, or the export named after the method, else 405 without a body.
const WRAPPER = `
  addEventListener("fetch", (event) => {
    const handler = module_.default ?? module_[event.request.method];
    const context = { waitUntil: event.waitUntil.bind(event) };
    event.respondWith(handler === undefined ? new Response(null, { status: 405 }) : (async () => handler(event.request, context))());
  });`;

async function vercel() {
  const { EdgeRuntime, runServer } = require("edge-runtime");
  const { transformSync } = require("esbuild");
  const { code } = transformSync(readFileSync(program, "utf8"), { format: "iife", globalName: "module_" });
  const variables = `globalThis.process = { env: ${JSON.stringify(env)} };`;
  const server = await runServer({ runtime: new EdgeRuntime({ initialCode: variables + code + WRAPPER }), host: "127.0.0.1", port: 0 });
  return server.url;
}

console.log(await (dialect === "workers" ? workers() : vercel()));
