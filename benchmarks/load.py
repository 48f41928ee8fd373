"""Closed-loop HTTP load: `wrk` where it is installed, because it costs the machine a fraction of what others do, else load.ts."""

import asyncio
import json
import re
import resource
import shutil
from dataclasses import dataclass
from pathlib import Path

from nearhop import children, engines

_LOAD = Path(__file__).with_name("load.ts")
_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


@dataclass(frozen=True, slots=True)
class Load:
    """What came back in one run, and the CPU time that asking took."""

    finished: int
    seconds: float
    p99_ms: float
    cpu_s: float


class LoadError(Exception):
    """An answer was not 200, or a connection broke."""


def generator() -> str:
    """Return the name of the generator that is used here."""
    return "wrk" if shutil.which("wrk") else _LOAD.name


async def drive(address: str, port: int, host: str, connections: int, seconds: int) -> Load:
    """Ask for / of *host* over kept connections, each with one request in flight. Raises LoadError when any answer is not good."""
    wrk = shutil.which("wrk")
    if wrk is not None:
        url = f"http://{address}:{port}/"
        argv = [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-H", f"Host: {host}", url]
    else:
        arguments = [address, str(port), host, str(connections), str(seconds)]
        argv = [str(engines.find("deno").path), "run", "--no-config", "--allow-net", str(_LOAD), *arguments]
    before = _children_s()
    process = await children.spawn(argv, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    cpu_s = _children_s() - before
    return _of_wrk(out.decode(), cpu_s) if wrk is not None else _of_deno(out.decode(), cpu_s)


def _of_wrk(text: str, cpu_s: float) -> Load:
    total = re.search(r"(\d+) requests in", text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    late = re.search(r"99%\s+([\d.]+)(us|ms|s)\b", text)
    if total is None or rate is None or late is None or "Non-2xx" in text or "Socket errors" in text:
        raise LoadError(text)
    finished = int(total[1])
    return Load(finished, finished / float(rate[1]), float(late[1]) * _MS[late[2]], cpu_s)


def _of_deno(text: str, cpu_s: float) -> Load:
    result = json.loads(text)
    if result["failed"]:
        raise LoadError(text)
    return Load(result["finished"], result["seconds"], result["p99_ms"], cpu_s)


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
