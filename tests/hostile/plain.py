"""The same programs in plain `deno run` with the flags that one would think of: what the sandbox is compared with."""

import asyncio
import tempfile
import time
from pathlib import Path

import psutil

from nearhop import children, engines
from tests.hostile.programs import Program

_WITHIN_S = 3.0
_MEMORY_BYTES = 1 << 30  # where a bomb is stopped, for the sake of the machine that shows it
_FLAGS = ("--no-prompt", "--no-remote", "--no-npm", "--no-config", "--allow-net", "--v8-flags=--max-old-space-size=128")
_RUNNER = """
const { default: program } = await import("./program.mjs").catch((e) => { console.log("refused: " + e); Deno.exit(1) });
if (!program?.fetch) Deno.exit(0);
const answer = await program.fetch(new Request("http://a.example.org/"), {}, { waitUntil() {}, passThroughOnException() {} });
console.log(answer.status + " " + (await answer.text()).slice(0, 80));
Deno.exit(0);
"""


async def attempt(program: Program, ports: dict[str, str]) -> str:
    """Run the program for a few seconds and say in words what came of it."""
    source = program.source
    for name, value in ports.items():
        source = source.replace(name, value)
    with tempfile.TemporaryDirectory() as folder:
        return await _run(Path(folder), source)


async def _run(folder: Path, source: str) -> str:
    for name, text in (("program.mjs", source), ("run.mjs", _RUNNER)):
        await asyncio.to_thread((folder / name).write_text, text)
    command = [engines.find("deno").path, "run", *_FLAGS, folder / "run.mjs"]
    pipe = asyncio.subprocess.PIPE
    process = await children.spawn(command, cwd=folder, stdout=pipe, stderr=asyncio.subprocess.DEVNULL)
    async with asyncio.TaskGroup() as group:
        hearing = group.create_task(_hear(process), name="plain deno")
        verdict = await _watch(process)
    said = hearing.result()
    return verdict or said or f"ended with {process.returncode}"


async def _hear(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    said = b""
    while chunk := await process.stdout.read(65536):
        said = (said + chunk)[-200:]
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


async def _watch(process: asyncio.subprocess.Process) -> str:
    began, memory = time.monotonic(), 0
    seen = psutil.Process(process.pid)
    try:
        while process.returncode is None:
            memory = max(memory, seen.memory_info().rss)
            if memory > _MEMORY_BYTES:
                process.kill()
                await process.wait()
                return f"HELD {memory >> 20} MiB, and would go on"
            if time.monotonic() - began > _WITHIN_S:
                process.kill()
                await process.wait()
                return f"RAN ON for {_WITHIN_S:g} s with {memory >> 20} MiB"
            await asyncio.sleep(0.01)
    except psutil.NoSuchProcess:
        await process.wait()
    return f"died by signal {-process.returncode}" if process.returncode and process.returncode < 0 else ""
