// What the guest takes from the package: its parts, not its wrapper, which does not wait for asynchronous handlers.
export { setWasmExports, wrap } from "./node_modules/htmlrewriter/dist/asyncify.js";
export { Comment, default as init, Doctype, DocumentEnd, Element, EndTag, HTMLRewriter, TextChunk } from "./node_modules/htmlrewriter/dist/html_rewriter.js";
