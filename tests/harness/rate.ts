// An open-loop HTTP/1.1 load generator: RATE requests a second leave at their time, whether or not earlier ones were answered, until SECONDS
// have passed or standard input ends.
// usage: deno run --allow-net rate.ts ADDRESS PORT HOST RATE SECONDS
// Prints one JSON line: { sent, finished, failures, bodies, seconds, p50_ms, p99_ms, max_ms }. A reply that is not 200, or none, is a failure; the
// first twenty are told.
const [address, port, host, rate, seconds] = Deno.args;
const request = new TextEncoder().encode(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
const decoder = new TextDecoder("latin1");
const idle: Deno.TcpConn[] = [];
const latencies: number[] = [];
const failures: string[] = [];
const bodies: Record<string, number> = {};
let sent = 0;
let failed = 0;
let flying = 0;
let stopped = false;

async function exchange(socket: Deno.TcpConn, buffer: Uint8Array<ArrayBuffer>): Promise<string> {
  await socket.write(request);
  let text = "";
  for (;;) {
    const size = await socket.read(buffer);
    if (size === null) throw new Error(`connection closed after ${text.length} characters`);
    text += decoder.decode(buffer.subarray(0, size));
    const end = text.indexOf("\r\n\r\n");
    if (end < 0) continue;
    const length = /content-length: (\d+)/i.exec(text);
    if (length === null) throw new Error("a reply without content-length");
    if (text.length >= end + 4 + Number(length[1])) return text;
  }
}

async function one(): Promise<void> {
  const begin = performance.now();
  flying++;
  try {
    let socket = idle.pop();
    if (socket === undefined) {
      socket = await Deno.connect({ hostname: address, port: Number(port) });
      socket.setNoDelay(true);
    }
    const text = await exchange(socket, new Uint8Array(4096));
    idle.push(socket);
    if (!text.startsWith("HTTP/1.1 200")) throw new Error(text.replaceAll(/\s+/g, " ").slice(0, 300));
    const body = text.slice(text.indexOf("\r\n\r\n") + 4);
    bodies[body] = (bodies[body] ?? 0) + 1;
    latencies.push(performance.now() - begin);
  } catch (error) {
    failed++;
    if (failures.length < 20) failures.push(`after ${(performance.now() - begin).toFixed(0)} ms: ${error}`);
  } finally {
    flying--;
  }
}

(async () => {
  for await (const _ of Deno.stdin.readable);
  stopped = true;
})();

const start = performance.now();
while (!stopped && performance.now() - start < Number(seconds) * 1000) {
  const due = Math.floor((performance.now() - start) / 1000 * Number(rate));
  for (; sent < due; sent++) one();
  await new Promise((resolve) => setTimeout(resolve, 2));
}
const elapsed = (performance.now() - start) / 1000;
const deadline = performance.now() + 30_000;
while (flying > 0 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
latencies.sort((a, b) => a - b);
const at = (share: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
const result = {
  sent, finished: latencies.length, failed: failed + flying, failures, bodies, seconds: elapsed, p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1),
};
console.log(JSON.stringify(result));
Deno.exit(0);
