// The smaller globals that Cloudflare has beside the web's: loaded when the program's text names one of them.

type Chunk = ArrayBuffer | ArrayBufferView;

function bytes(chunk: unknown): Uint8Array {
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  throw new TypeError(
    "This TransformStream is being used as a byte stream, but received an object of non-ArrayBuffer/ArrayBufferView type on its writable side.",
  );
}

/** Compare in a time that depends on the length alone. */
function timingSafeEqual(left: Chunk, right: Chunk): boolean {
  const [a, b] = [bytes(left), bytes(right)];
  if (a.length !== b.length) throw new TypeError("Input buffers must have the same byte length.");
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i] ^ b[i];
  return difference === 0;
}

class IdentityTransformStream extends TransformStream<unknown, Uint8Array> {
  constructor() {
    super({
      transform(chunk, controller) {
        controller.enqueue(bytes(chunk));
      },
    });
  }
}

class FixedLengthStream extends TransformStream<unknown, Uint8Array> {
  constructor(length: number | bigint) {
    let left = Number(length);
    if (!(left >= 0)) throw new TypeError("FixedLengthStream requires a non-negative length.");
    super({
      transform(chunk, controller) {
        const part = bytes(chunk);
        left -= part.length;
        if (left < 0) throw new TypeError("Attempt to write too many bytes through a FixedLengthStream.");
        controller.enqueue(part);
      },
      flush() {
        if (left > 0) throw new TypeError("FixedLengthStream did not see all expected bytes before close().");
      },
    });
  }
}

const ALGORITHMS: Record<string, string> = { "MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512" };

function digestStream(createHash: typeof import("node:crypto").createHash) {
  return class DigestStream extends WritableStream<Chunk | string> {
    readonly digest: Promise<ArrayBuffer>;
    bytesWritten = 0;

    constructor(algorithm: string | { name: string }) {
      const name = ALGORITHMS[(typeof algorithm === "string" ? algorithm : algorithm.name).toUpperCase()];
      if (name === undefined) throw new DOMException("Unrecognized or unimplemented digest algorithm requested.", "NotSupportedError");
      const { promise, resolve, reject } = Promise.withResolvers<ArrayBuffer>();
      const hash = createHash(name);
      const count = (size: number) => void (this.bytesWritten += size);
      super({
        write(chunk) {
          const part = typeof chunk === "string" ? new TextEncoder().encode(chunk) : bytes(chunk);
          hash.update(part);
          count(part.length);
        },
        close: () => resolve(new Uint8Array(hash.digest()).buffer),
        abort: reject,
      });
      promise.catch(() => {}); // whoever awaits digest gets it; nobody has to
      this.digest = promise;
    }
  };
}

/** Put them in place. To be called while the engine's lazy loader still finds node:crypto. */
export async function installExtras(source: string): Promise<void> {
  Object.defineProperty(SubtleCrypto.prototype, "timingSafeEqual", { value: timingSafeEqual, configurable: true, writable: true });
  Object.assign(globalThis, { IdentityTransformStream, FixedLengthStream, scheduler: { wait } });
  if (source.includes("DigestStream") || MD5.test(source)) {
    const { createHash } = await import("node:crypto");
    Object.defineProperty(Crypto.prototype, "DigestStream", { value: digestStream(createHash), configurable: true, writable: true });
    Object.defineProperty(SubtleCrypto.prototype, "digest", { value: digesting(createHash), configurable: true, writable: true });
  }
}

const MD5 = /\bMD5\b/i;

/** crypto.subtle.digest with MD5 too, which Cloudflare has for what is older than it. */
function digesting(createHash: typeof import("node:crypto").createHash) {
  const real = SubtleCrypto.prototype.digest;
  return async function digest(this: SubtleCrypto, algorithm: AlgorithmIdentifier, data: BufferSource): Promise<ArrayBuffer> {
    const name = typeof algorithm === "string" ? algorithm : algorithm?.name;
    if (String(name).toUpperCase() !== "MD5") return await real.call(this, algorithm, data);
    return new Uint8Array(createHash("md5").update(bytes(data)).digest()).buffer;
  };
}

function wait(ms: number, options: { signal?: AbortSignal } = {}): Promise<void> {
  return new Promise((resolve, reject) => {
    const { signal } = options;
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
