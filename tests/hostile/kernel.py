"""What is tried by a program that has broken out of the guest and of the engine's permissions: the engine with all rights, and the C library."""

import asyncio
import dataclasses
import json
import os
from pathlib import Path

from nearhop import engines
from node.sandbox.isolation import layout
from node.sandbox.isolation.launcher import Launcher, Settings
from node.sandbox.process import Guest, Message

_WITHIN_S = 40.0

# Each is an expression that throws, or is below zero, when it is refused.
ATTEMPTS: dict[str, str] = {
    "read-passwd": "Deno.readTextFileSync('/etc/passwd')",
    "read-shadow": "Deno.readTextFileSync('/etc/shadow')",
    "list-home": "must([...Deno.readDirSync('/root')].length || [...Deno.readDirSync('/home')].length)",
    "agents-environment": "must(Deno.env.get('PATH') ?? Deno.env.get('PYTHONPATH'))",
    "read-kernel": "Deno.readTextFileSync('/proc/kallsyms')",
    "write-sysctl": "Deno.writeTextFileSync('/proc/sys/kernel/core_pattern', 'x')",
    "read-sys": "Deno.readTextFileSync('/sys/class/net/eth0/address')",
    "other-processes": "must([...Deno.readDirSync('/proc')].filter((e) => /^[0-9]+$/.test(e.name)).length > 1 || null)",
    "write-root": "Deno.writeTextFileSync('/x', 'x')",
    "write-engine": "Deno.writeTextFileSync('/deno', 'x')",
    "write-guest": "Deno.writeTextFileSync('/guest/main.mjs', 'x')",
    "write-library": "Deno.writeTextFileSync(LIBC, 'x')",
    "write-services": "Deno.writeTextFileSync('/run/services/x', 'x')",
    "remove-services": "Deno.removeSync('/run/services/egress.sock')",
    "file-in-inbound": "Deno.writeTextFileSync('/run/in/x', 'x')",
    "device": "Deno.openSync('/dev/vda')",
    "memory-device": "Deno.openSync('/dev/mem')",
    "run-shell": "new Deno.Command('/bin/sh').outputSync()",
    "run-engine": "new Deno.Command('/deno', { args: ['--version'] }).outputSync()",
    "connect-loopback": "await Deno.connect({ hostname: '127.0.0.1', port: 22 })",
    "connect-metadata": "await Deno.connect({ hostname: '169.254.169.254', port: 80 })",
    "connect-public": "await Deno.connect({ hostname: '1.1.1.1', port: 443 })",
    "connect-v6": "await Deno.connect({ hostname: '::1', port: 80 })",
    "listen-tcp": "Deno.listen({ port: 0 })",
    "send-udp": "Deno.listenDatagram({ port: 0, transport: 'udp' })",
    "resolve-name": "await Deno.resolveDns('example.org', 'A', { nameServer: { ipAddr: '127.0.0.53' } })",
    "direct-fetch": "await fetch('http://1.1.1.1/')",
    "docker-socket": "await Deno.connect({ transport: 'unix', path: '/var/run/docker.sock' })",
    "ingress-socket": "await Deno.connect({ transport: 'unix', path: '/run/haproxy.sock' })",
    "abstract-socket": "await Deno.connect({ transport: 'unix', path: '\\0/tmp/.X11-unix/X0' })",
    "fill-scratch": "(() => { for (let i = 0;; i++) Deno.writeFileSync('/tmp/fill' + i, new Uint8Array(8 << 20)) })()",
    "signal-the-agent": "Deno.kill(2, 'SIGKILL')",
    "signal-all": "call(NR.kill, -1, 9)",
    "ptrace": "call(NR.ptrace, 0, 0)",
    "process-vm-read": "call(NR.process_vm_readv, 1, 0)",
    "unshare-user": "call(NR.unshare, 0x10000000)",
    "unshare-mount": "call(NR.unshare, 0x20000)",
    "clone-user": "call(NR.clone, 0x10000011)",
    "fork": "call(NR.clone, 17)",
    "clone3": "call(435, 0, 0)",
    "setns": "call(NR.setns, 0, 0)",
    "mount": "call(NR.mount, 0, 0)",
    "fsopen": "call(430, 0, 0)",
    "pivot-root": "call(NR.pivot_root, 0, 0)",
    "chroot": "call(NR.chroot, 0)",
    "bpf": "call(NR.bpf, 0, 0)",
    "io-uring": "call(425, 8, 0)",
    "userfaultfd": "call(NR.userfaultfd, 0)",
    "perf": "call(NR.perf_event_open, 0, 0)",
    "keyctl": "call(NR.keyctl, 0, 0)",
    "module": "call(NR.init_module, 0, 0)",
    "kexec": "call(NR.kexec_load, 0, 0)",
    "reboot": "call(NR.reboot, 0, 0)",
    "open-by-handle": "call(NR.open_by_handle_at, 0, 0)",
    "pidfd-getfd": "call(438, 0, 0)",
    "inet-socket": "call(NR.socket, 2, 1)",
    "raw-socket": "call(NR.socket, 2, 3)",
    "packet-socket": "call(NR.socket, 17, 3)",
    "netlink-socket": "call(NR.socket, 16, 3)",
    "vsock": "call(NR.socket, 40, 1)",
    "alg-socket": "call(NR.socket, 38, 5)",
    "become-root": "call(NR.setuid, 0)",
    "set-hostname": "call(NR.sethostname, 0, 0)",
    "set-clock": "call(NR.settimeofday, 0, 0)",
    "system-v-memory": "call(NR.shmget, 0, 4096)",
    "message-queue": "call(NR.msgget, 0, 512)",
    "raise-limits": "call(160, 7, 0) || call(302, 0, 7, 1)",
}
_NUMBERS = {
    "kill": 62, "ptrace": 101, "process_vm_readv": 310, "unshare": 272, "clone": 56, "setns": 308, "mount": 165, "pivot_root": 155,
    "chroot": 161, "bpf": 321, "userfaultfd": 323, "perf_event_open": 298, "keyctl": 250, "init_module": 175, "kexec_load": 246,
    "reboot": 169, "open_by_handle_at": 304, "socket": 41, "setuid": 105, "sethostname": 170, "settimeofday": 164, "shmget": 29,
    "msgget": 68,
}  # fmt: skip


def _script(libc: str) -> str:
    attempts = ",\n".join(f"{json.dumps(name)}: async () => ({code})" for name, code in ATTEMPTS.items())
    return f"""
    const LIBC = {json.dumps(libc)};
    const NR = {json.dumps(_NUMBERS)};
    const must = (x) => {{ if (!x) throw new Error("nothing there"); return x }};
    const lib = Deno.dlopen(LIBC, {{ syscall: {{ parameters: ["i64", "i64", "i64", "i64", "i64"], result: "i64" }} }});
    const call = (n, ...a) => {{
      const result = Number(lib.symbols.syscall(...[n, ...a, 0, 0, 0, 0].slice(0, 5).map(BigInt)));
      if (result < 0) throw new Error("refused");
      return result;
    }};
    const attempts = {{ {attempts} }};
    const tell = (name, said) => console.log(JSON.stringify({{ event: "log", level: "info", message: name + "|" + said }}));
    for (const [name, attempt] of Object.entries(attempts)) {{
      const late = new Promise((_, no) => setTimeout(() => no(new Error("no answer")), 2000));
      try {{
        tell(name, "OPEN " + String(await Promise.race([attempt(), late])).slice(0, 80));
      }} catch (error) {{
        tell(name, "shut: " + String(error).slice(0, 120));
      }}
    }}
    Deno.exit(0);
    """


async def attempt_all(folder: Path, *, prepared: bool = False) -> tuple[dict[str, str], str]:
    """Run every attempt in a real sandbox with all of the engine's rights; return what came of each, and how isolated it was.

    One that is *prepared* was isolated before it was known what it would run.
    """
    os.chmod(folder, 0o755)  # noqa: PTH101  # sandboxes have users of their own
    deno = engines.find("deno").path
    launcher = Launcher(Settings(deno, folder / "run", folder / "cache", "", lambda slot: folder / f"{slot}.sock"))
    await launcher.open()
    try:
        if prepared:
            launcher.prepare(1)
        plan = launcher.plan(1, memory_mib=128)
        libc = next(bind.target for bind in plan.binds if "libc.so" in bind.target)
        argv = (layout.ENGINE, "run", "-A", "--unstable-net", "--quiet", "--no-config", "--no-lock", "--no-check", "-")
        return await _run(launcher, dataclasses.replace(plan, argv=argv), _script(libc)), launcher.level
    finally:
        await launcher.close()


async def _run(launcher: Launcher, plan: layout.Plan, script: str) -> dict[str, str]:
    said: list[Message] = []

    guest: Guest = await launcher.launch(1, plan)
    guest.feed(script.encode())
    async with asyncio.timeout(_WITHIN_S):
        await guest.serve(said.append)
    found = dict(message.text.removeprefix("info: ").split("|", 1) for message in said)
    if found.keys() != ATTEMPTS.keys():
        missing = sorted(ATTEMPTS.keys() - found.keys())
        raise AssertionError(f"nothing was heard of {missing}: {guest.last_words()}")
    return found
