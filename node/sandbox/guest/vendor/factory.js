// Makes a function of the bundled module, so that it can be had several times: the package keeps its one instance in variables of the module.
const text = Deno.readTextFileSync("bundled.js").trimEnd();
const [, body, names] = /^([^]*)export\{([^{}]*)\};?$/.exec(text);
const result = names.split(",").map((pair) => pair.trim().split(/\s+as\s+/)).map(([inner, outer = inner]) => `${outer}:${inner}`);
Deno.writeTextFileSync("htmlrewriter.js", `export function make(){${body}return{${result.join(",")}}}\n`);
