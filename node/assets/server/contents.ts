// The bytes of a place in a pack's file: small ones at once and from memory where they were read before, great ones as they are taken.

import type { Place } from "./table.ts";

const AT_ONCE = 256 << 10;
const CHUNK = 64 << 10;
const MEMORY = 32 << 20;

const kept = new Map<string, Uint8Array<ArrayBuffer>>();
let keptBytes = 0;

/** The bytes from start to end (exclusive) of what is at the place. */
export async function body(contents: string, place: Place, start: number, end: number): Promise<BodyInit> {
  if (place[1] <= AT_ONCE) return (await whole(contents, place)).subarray(start, end);
  const file = await Deno.open(contents);
  await file.seek(place[0] + start, Deno.SeekMode.Start);
  return stream(file, end - start);
}

async function whole(contents: string, place: Place): Promise<Uint8Array<ArrayBuffer>> {
  const digest = place[2];
  let bytes = kept.get(digest);
  if (bytes === undefined) {
    using file = await Deno.open(contents);
    await file.seek(place[0], Deno.SeekMode.Start);
    bytes = new Uint8Array(place[1]);
    for (let at = 0; at < bytes.length;) {
      const read = await file.read(bytes.subarray(at));
      if (read === null) throw new Error("a pack's file is shorter than its table says");
      at += read;
    }
    keep(digest, bytes);
  }
  return bytes;
}

function keep(digest: string, bytes: Uint8Array<ArrayBuffer>): void {
  if (!kept.has(digest)) keptBytes += bytes.length;
  kept.set(digest, bytes);
  for (const [oldest, dropped] of kept) {
    if (keptBytes <= MEMORY) break;
    kept.delete(oldest);
    keptBytes -= dropped.length;
  }
}

function stream(file: Deno.FsFile, length: number): ReadableStream<Uint8Array> {
  let left = length;
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      const chunk = new Uint8Array(Math.min(CHUNK, left));
      const read = left === 0 ? null : await file.read(chunk);
      if (read === null) {
        file.close();
        if (left > 0) return controller.error(new Error("a pack's file is shorter than its table says"));
        controller.close();
        controller.byobRequest?.respond(0);
        return;
      }
      left -= read;
      controller.enqueue(chunk.subarray(0, read));
    },
    cancel: () => file.close(),
  });
}
