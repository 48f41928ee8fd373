// A closed-loop HTTP/1.1 load generator: CONNECTIONS keep-alive connections, each with one request in flight, for SECONDS.
// usage: deno run --allow-net load.ts ADDRESS PORT HOST CONNECTIONS SECONDS
// Prints one JSON line: { finished, failed, seconds, p50_ms, p99_ms }. A reply that is not 200 counts as failed.
const [address, port, host, connections, seconds] = Deno.args;
const request = new TextEncoder().encode(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
const headerEnd = /\r\n\r\n/;
const deadline = performance.now() + Number(seconds) * 1000;
const latencies: number[] = [];
let failed = 0;

async function drive(): Promise<void> {
  const socket = await Deno.connect({ hostname: address, port: Number(port) });
  socket.setNoDelay(true);
  const buffer = new Uint8Array(65536);
  const decoder = new TextDecoder("latin1");
  try {
    while (performance.now() < deadline) {
      const begin = performance.now();
      await socket.write(request);
      let text = "";
      for (;;) {
        const size = await socket.read(buffer);
        if (size === null) throw new Error("connection closed");
        text += decoder.decode(buffer.subarray(0, size));
        const end = headerEnd.exec(text);
        if (end === null) continue;
        const length = /content-length: (\d+)/i.exec(text);
        if (length === null ? text.endsWith("\r\n0\r\n\r\n") : text.length >= end.index + 4 + Number(length[1])) break;
      }
      if (text.startsWith("HTTP/1.1 200")) latencies.push(performance.now() - begin);
      else failed++;
    }
  } finally {
    socket.close();
  }
}

const begin = performance.now();
await Promise.all(Array.from({ length: Number(connections) }, drive));
latencies.sort((a, b) => a - b);
const at = (share: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
console.log(JSON.stringify({
  finished: latencies.length,
  failed,
  seconds: (performance.now() - begin) / 1000,
  p50_ms: at(0.5),
  p99_ms: at(0.99),
}));
