// Compiles the module on standard input, without linking or running it, and prints V8's objection as a JSON string, or null.
import { SourceTextModule } from "node:vm";

const source = await new Response(Deno.stdin.readable).text();
let objection = null;
try {
  new SourceTextModule(source);
} catch (error) {
  objection = `${error.name}: ${error.message}`;
}
console.log(JSON.stringify(objection));
