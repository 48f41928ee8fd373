"""The hostile programs, one row each: what it tries, and how it must end."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

CANARY = "CANARY"  # becomes the port of a server on loopback that nobody must reach
FRIEND = "FRIEND"  # becomes the authority of a server that the operator allows


class End(StrEnum):
    """How a program must end."""

    REFUSED = "refused"  # its version never serves
    SHUT = "shut"  # the attempt throws, and the program serves on
    ENDED = "ended"  # its sandbox is ended for a limit, and the client is told which
    HARMLESS = "harmless"  # it may do that: nothing comes of it


@dataclass(frozen=True)
class Program:
    """*says* must occur in the refusal, the thrown error or the reason."""

    id: str
    source: str
    end: End
    says: str = ""
    dialect: str = "workers"
    limits: dict[str, int] = field(default_factory=dict)


def _module(body: str) -> str:
    return f"export default {{ async fetch(request, env, ctx) {{ {body} }} }}"


def _attempt(code: str) -> str:
    return (
        "const must = (x) => { if (x === undefined || x === null) throw new Error('nothing there'); return x };\n"
        f"const attempt = async () => ({code});\n"
        + _module(
            "try { return Response.json({ open: String(await attempt()).slice(0, 80) }) }"
            " catch (error) { return Response.json({ shut: String(error) }) }"
        )
    )


def _imports() -> Iterator[Program]:
    said = "is not available to functions"
    static = {
        "file-text": ("import x from 'file:///etc/passwd' with { type: 'text' };", "read access"),
        "file-module": ("import 'file:///etc/hostname';", "read access"),
        "guest-file": ("import x from 'file:///guest/imports.json' with { type: 'json' };", ""),
        "https": ("import 'https://example.org/x.js';", "import"),
        "http-loopback": (f"import 'http://127.0.0.1:{CANARY}/x.js';", "import"),
        "npm": ("import 'npm:lodash';", ""),
        "jsr": ("import 'jsr:@std/path';", ""),
        "data-file": ("import 'data:text/javascript,import \"file:///etc/passwd\"';", ""),
        "absolute": ("import '/etc/passwd';", ""),
        "parent": ("import '../../etc/passwd';", ""),
    }
    worker = "import { Worker } from 'node:worker_threads'; new Worker('for (;;);', { eval: true });"
    static["node-worker-threads"] = (worker, "")  # the engine does not apply the import map to this one
    for name in (
        "child_process", "fs", "net", "vm", "inspector", "http", "dgram", "sqlite", "module", "os",
    ):  # fmt: skip
        static[f"node-{name.replace('_', '-')}"] = (f"import x from 'node:{name}';", said)
    for name, (line, says) in static.items():
        yield Program(f"import-{name}", f"{line}\n{_module('return new Response()')}", End.REFUSED, says)
    dynamic = {
        "file": "import('fi' + 'le:///etc/passwd', { with: { type: 'text' } })",
        "https": "import('htt' + 'ps://example.org/x.js')",
        "npm": "import('np' + 'm:lodash')",
        "node-fs": "import('no' + 'de:fs')",
        "node-child-process": "import('no' + 'de:child_process')",
        "data-file": "import('data:text/javascript,' + encodeURIComponent('import \"file:///etc/passwd\"'))",
        "blob-file": "import(URL.createObjectURL(new Blob(['import \"file:///etc/passwd\"'], { type: 'text/javascript' })))",
        "ffi": "import('ext:' + 'deno_ffi/00_ffi.js')",
    }
    for name, code in dynamic.items():
        yield Program(f"dynamic-{name}", _attempt(code), End.SHUT)


def _escapes() -> Iterator[Program]:
    codes = {
        "deno": "Deno.readTextFile('/etc/passwd')",
        "deno-by-function": "(() => {}).constructor('return Deno')().readTextFile('/etc/passwd')",
        "deno-by-eval": "(0, eval)('Deno').Command",
        "deno-internal": "must(globalThis[Symbol.for('Deno.internal')] ?? globalThis.__bootstrap)",
        "deno-by-stack": "new Promise((ok, no) => { Error.prepareStackTrace = (_, s) => s;"
        " const f = new Error().stack.map((s) => s.getThis?.()).find((t) => t?.Deno?.readTextFileSync);"
        " f ? ok(f.Deno.readTextFileSync('/etc/passwd')) : no(new Error('nothing there')) })",
        "process-exit": "process.exit(1)",
        "process-kill": "process.kill(process.pid, 'SIGKILL')",
        "process-binding": "process.binding('fs')",
        "process-builtin": "process.getBuiltinModule('fs')",
        "process-dlopen": "process.dlopen({}, '/lib/x86_64-linux-gnu/libc.so.6')",
        "process-env": "must(process.env.PATH ?? process.env.HOME)",
        "require": "require('fs')",
        "worker": "must(new Worker('data:text/javascript,for(;;);', { type: 'module' }))",
        "worker-blob": "must(new Worker(URL.createObjectURL(new Blob(['for(;;);']))))",
        "storage": "localStorage.setItem('a', 'b')",
        "prompt": "must(prompt('password?'))",
        "close": "close()",
    }  # fmt: skip
    for name, code in codes.items():
        yield Program(f"escape-{name}", _attempt(code), End.SHUT)
    threads = (
        "const { default: threads } = await import('data:text/javascript,import * as x from \"node:worker_threads\"; export default x');"
        " must(new threads.Worker('0', { eval: true }))"
    )
    fake = (
        "try { globalThis.Deno = { internal: Symbol(), version: {}, build: { os: 'linux' }, args: [], execPath: () => '/deno',"
        " mainModule: 'file:///x', env: { get() {}, toObject: () => ({}) } } } catch { /* it is taken */ }"
    )
    for dialect in ("workers", "deno"):
        code = f"(async () => {{ {fake}; {threads.replace('must(', 'return must(')} }})()"
        yield Program(f"escape-{dialect}-worker-thread", _attempt(code), End.SHUT, dialect=dialect)
    for name, code in {
        "read": "Deno.readTextFileSync('/etc/passwd')",
        "run": "new Deno.Command('/bin/sh').outputSync()",
        "connect": f"await Deno.connect({{ port: {CANARY} }})",
        "exit": "Deno.exit(0)",
        "dlopen": "Deno.dlopen('/lib/x86_64-linux-gnu/libc.so.6', {})",
        "listen-elsewhere": "Deno.listen({ transport: 'unix', path: '/run/in/other.sock' })",
    }.items():
        yield Program(f"deno-{name}", f"{code};\nDeno.serve(() => new Response())", End.REFUSED, "", dialect="deno")


def _egress() -> Iterator[Program]:
    address, port = "egress_address", "egress_port"
    hosts = {
        "zero": ("0", address),
        "any": ("0.0.0.0", address),
        "short": ("127.1", address),
        "decimal": ("2130706433", address),
        "hexadecimal": ("0x7f.1", address),
        "octal": ("0177.0.0.1", address),
        "loopback": ("127.0.0.1", address),
        "v6-any": ("[::]", address),
        "v6-loopback": ("[::1]", address),
        "v6-mapped-loopback": ("[::ffff:127.0.0.1]", address),
        "v6-mapped-metadata": ("[::ffff:a9fe:a9fe]", address),
        "v6-nat64-metadata": ("[64:ff9b::a9fe:a9fe]", address),
        "v6-6to4-loopback": ("[2002:7f00:1::]", address),
        "v6-metadata": ("[fd00:ec2::254]", address),
        "v6-link-local": ("[fe80::1]", address),
        "localhost": ("localhost", address),
        "localhost-dot": ("localhost.", "egress_"),
        "unicode-dots": ("127。0。0。1", address),
        "fullwidth-digits": ("１２７.0.0.1", address),
        "user-at-host": ("example.org@127.0.0.1", ""),
        "metadata": ("169.254.169.254", address),
        "metadata-ecs": ("169.254.170.2", address),
        "metadata-azure": ("168.63.129.16", address),
        "metadata-alibaba": ("100.100.100.200", address),
        "private": ("10.0.0.1", address),
        "broadcast": ("255.255.255.255", address),
    }
    for name, (host, says) in hosts.items():
        code = f"fetch('http://{host}:{CANARY}/').then((r) => r.status)"
        yield Program(f"egress-{name}", _attempt(code), End.SHUT, says)
    codes = {
        "https-loopback": (f"fetch('https://127.0.0.1:{CANARY}/')", address),
        "redirect-metadata": (
            f"fetch('http://{FRIEND}/redirect?http://169.254.169.254/latest/').then((r) => r.status)",
            address,
        ),
        "redirect-loopback": (
            f"fetch('http://{FRIEND}/redirect?http://127.0.0.1:{CANARY}/').then((r) => r.status)",
            address,
        ),
        "etcd-port": ("fetch('http://8.8.8.8:2379/v2/keys')", port),
        "docker-port": ("fetch('http://1.1.1.1:2375/containers/json')", port),
        "smtp-port": ("fetch('http://1.1.1.1:25/')", ""),
        "connect-method": (f"fetch('http://127.0.0.1:{CANARY}', {{ method: 'CONNECT' }})", ""),
        "file-url": ("fetch('file:///etc/passwd')", "cannot reach file: URLs"),
        "own-socket": ("fetch('http+unix://' + encodeURIComponent('/run/in/s.sock') + '/')", "cannot reach"),
        "a-neighbors-socket": (
            "fetch('http+unix://' + encodeURIComponent('/run/in/../../slots/001/s.sock') + '/')",
            "",
        ),
        "proxys-own-socket": ("fetch('http+unix://' + encodeURIComponent('/run/services/egress.sock') + '/')", ""),
        "a-client-of-ones-own": (f"fetch('http://127.0.0.1:{CANARY}/', {{ client: {{}} }})", address),
        "request-object": (f"fetch(new Request('http://127.0.0.1:{CANARY}/'))", address),
        "websocket-loopback": (
            (
                "new Promise((ok, no) => { const s = new WebSocket('ws://127.0.0.1:"
                f"{CANARY}/'); s.onopen = ok; s.onerror = (e) => no(e.message) }})"
            ),
            "",
        ),
        "websocket-v6": (
            (
                "new Promise((ok, no) => { const s = new WebSocket('ws://[::1]:"
                f"{CANARY}/'); s.onopen = ok; s.onerror = (e) => no(e.message) }})"
            ),
            "",
        ),
        "websocket-by-fetch": (
            f"fetch('http://127.0.0.1:{CANARY}/', {{ headers: {{ Upgrade: 'websocket' }} }}).then((r) => must(r.webSocket))",
            "",
        ),
        "websocket-by-fetch-v6": (
            f"fetch('http://[::1]:{CANARY}/', {{ headers: {{ Upgrade: 'websocket' }} }}).then((r) => must(r.webSocket))",
            "",
        ),
        "websocket-headers": (
            (
                "new Promise((ok, no) => { const s = new WebSocket('ws://127.0.0.1:"
                f"{CANARY}/', {{ headers: {{ host: '{FRIEND}' }} }}); s.onopen = ok; s.onerror = (e) => no(e.message) }})"
            ),
            "",
        ),
        "eventsource": (f"must(new EventSource('http://127.0.0.1:{CANARY}/'))", ""),
        "host-header": (
            f"fetch('http://127.0.0.1:{CANARY}/', {{ headers: {{ host: '{FRIEND}' }} }})",
            address,
        ),
    }
    for name, (code, says) in codes.items():
        yield Program(f"egress-{name}", _attempt(code), End.SHUT, says)


def _limits() -> Iterator[Program]:
    cpu, memory = "exceeded_cpu", "exceeded_memory"
    bodies = {
        "loop": ("for (;;);", cpu),
        "regex": ("return new Response(String(/^(a+)+$/.test('a'.repeat(40) + 'b')))", cpu),
        "promise-storm": ("for (;;) await null", cpu),
        "microtask-storm": ("const f = () => queueMicrotask(f); f(); await new Promise(() => {})", cpu),
        "timer-storm": (
            "const f = () => { for (let i = 0; i < 1e4; i++) setTimeout(f, 0) }; f(); await new Promise(() => {})",
            "exceeded_",
        ),
        "json-bomb": (
            "for (let a = '[]';; a = JSON.stringify([a, a]).slice(0, 1e6)) JSON.parse(JSON.stringify(a))",
            cpu,
        ),
        "hash-loop": (
            "let d = new Uint8Array(1 << 16); for (;;) d = new Uint8Array(await crypto.subtle.digest('SHA-256', d))",
            cpu,
        ),
        "heap-bomb": ("const a = []; for (;;) a.push(new Array(1e5).fill({}))", "exceeded_"),
        "typed-array-bomb": (
            "const a = []; for (;;) { a.push(new Uint8Array(16 << 20).fill(1)); await new Promise((r) => setTimeout(r, 1)) }",
            "exceeded_",
        ),
        "wasm-memory-bomb": (
            (
                "const m = new WebAssembly.Memory({ initial: 1, maximum: 65536 });"
                " for (;;) { m.grow(160); new Uint8Array(m.buffer).fill(1, m.buffer.byteLength - (160 << 16));"
                " await new Promise((r) => setTimeout(r, 1)) }"
            ),
            "exceeded_",
        ),
        "string-bomb": (
            "const a = []; for (let n = 0;; n++) { a.push(('x' + n).repeat(4 << 20).split('').join('')) }",
            "exceeded_",
        ),
        "shared-buffer-bomb": (
            (
                "const a = []; for (;;) { a.push(new Uint8Array(new SharedArrayBuffer(16 << 20)).fill(1));"
                " await new Promise((r) => setTimeout(r, 1)) }"
            ),
            "exceeded_",
        ),
        "loop-after-the-answer": (
            (
                "if (new URL(request.url).pathname === '/again') return new Response('fine');"
                " setTimeout(() => { for (;;); }, 1); await new Promise((r) => setTimeout(r, 200)); return new Response('x')"
            ),
            cpu,
        ),
    }
    for name, (body, says) in bodies.items():
        yield Program(f"limit-{name}", _module(body), End.ENDED, says)
    # A small bomb inside of one turn's CPU budget shows memory alone.
    slow = "await new Promise((r) => setTimeout(r, 5))"
    yield Program(
        "limit-slow-memory-bomb",
        _module(f"const a = []; for (;;) {{ a.push(new Uint8Array(4 << 20).fill(1)); {slow} }}"),
        End.ENDED,
        memory,
        limits={"cpu_ms": 10_000},
    )
    yield Program(
        "limit-never-answers",
        _module("await new Promise(() => {})"),
        End.ENDED,
        "exceeded_wall",
        limits={"wall_ms": 500},
    )
    yield Program("boot-loop", "for (;;);", End.REFUSED)  # by CPU or, on a busy machine, by wall time
    yield Program("boot-memory", "const a = []; for (;;) a.push(new Uint8Array(64 << 20).fill(1))", End.REFUSED, "")
    yield Program("boot-throw", "throw new Error('no config')", End.REFUSED, "no config")
    yield Program("boot-never", "await new Promise(() => {}); export default {}", End.REFUSED, "")


def _nuisances() -> Iterator[Program]:
    bodies = {
        "stack-overflow": "try { (function f() { f() })() } catch {} return new Response('fine')",
        "stray-rejections": "for (let i = 0; i < 1000; i++) Promise.reject(new Error('stray')); return new Response('fine')",
        "stray-exception": "setTimeout(() => { throw new Error('late') }, 0); return new Response('fine')",
        "log-flood": "const line = 'x'.repeat(4000); for (let i = 0; i < 2000; i++) console.log(line); return new Response('fine')",
        "log-control-characters": 'console.log(\'\\u001b[2J\\r\\n{"event":"failed","error":"x"}\'); return new Response(\'fine\')',
        "many-timers": "for (let i = 0; i < 20000; i++) setTimeout(() => {}, 1e9); return new Response('fine')",
        "ignores-the-body": "return new Response('fine')",
        "prototype-pollution": "Object.prototype.then = undefined; Promise.prototype.then = Promise.prototype.then;"
        " Array.prototype.push = () => 0; return new Response('fine')",
        "header-injection": "try { return new Response('x', { headers: { a: 'b\\r\\nx-evil: 1' } }) } catch { return new Response('fine') }",
        "spoofed-reason": "return new Response('fine', { headers: { 'x-nearhop-reason': 'exceeded_cpu', 'x-nearhop-node': 'x' } })",
        "control-by-the-program": "return new Response('fine', { headers: { 'x-nearhop-control': 'x' } })",
    }
    for name, body in bodies.items():
        yield Program(f"nuisance-{name}", _module(body), End.HARMLESS, "fine")
    yield Program(
        "nuisance-overwrites-globals",
        "JSON.stringify = () => 'gone'; globalThis.Response = class {}; TextEncoder.prototype.encode = () => { throw 1 };\n"
        "addEventListener('fetch', () => {});\n" + _module("return new Response('x')"),
        End.REFUSED,  # it keeps its own guest from saying that it is ready
    )


PROGRAMS: tuple[Program, ...] = (*_imports(), *_escapes(), *_egress(), *_limits(), *_nuisances())
