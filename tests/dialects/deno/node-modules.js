import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { EventEmitter } from "node:events";
import process from "node:process";

Deno.serve(() => {
  const emitter = new EventEmitter();
  let heard = "";
  emitter.on("word", (word) => heard += word);
  emitter.emit("word", "hi");
  return Response.json({ hash: createHash("sha1").update("x").digest("hex"), base64: Buffer.from("x").toString("base64"), heard, env: process.env.GREETING });
});
