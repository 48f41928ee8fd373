"""From a project to one self-contained ES module, with Deno's bundler.

A JavaScript file that is self-contained already is taken as it is: the bundler fetches its own helper from the network on its first run, and
such a file needs none of it. Bundles are minified, because only then do they hold no path of this machine; function and class names are kept.
"""

import asyncio
import hashlib
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from controlplane.bundle.dialect import detect
from controlplane.bundle.modules import self_contained
from controlplane.bundle.project import Project, UnusableSource
from controlplane.model import Dialect
from nearhop import children, engines

_BUNDLE_TIMEOUT_S = 180.0
_READY_MADE = (".js", ".mjs")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_NOISE = re.compile(
    r"^(?:\W*deno bundle is experimental.*|Download .*|Bundled .*|error: bundling failed|Stack backtrace:|\s+\d+: <unknown>|)$"
)
# Deno's wording -> what its reader can do about it.
_HINTS = (
    (
        re.compile(r"error sending request|client error|dns error|tcp connect"),
        "the bundler needs the network for npm packages and, once, for itself: connect, or deploy one JavaScript file without imports",
    ),
    (re.compile(r"deno install|node_modules"), "install the project's packages first: npm install"),
    (
        re.compile(r"Requires import access"),
        "that host is not among the ones that Deno imports from: take the package from npm: or jsr:",
    ),
    (
        re.compile(r"not a dependency|Module not found"),
        "look at the import's spelling, or add the package to package.json or deno.json",
    ),
)


@dataclass(frozen=True, slots=True)
class Bundle:
    """One self-contained ES module, ready to upload. *entrypoint* is for people."""

    source: bytes
    digest: str
    dialect: Dialect
    entrypoint: str


async def bundle(project: Project, dialect: Dialect | None = None) -> Bundle:
    """Make *project* one module; *dialect* overrides what its text says.

    Raises UnusableSource with the bundler's errors or the reasons why its result is refused, UnknownDialect, EngineMissing.
    """
    entry = _read(project.file)
    ready_made = project.file.suffix in _READY_MADE and not await self_contained(entry)
    source = entry if ready_made else await _bundled(project)
    if reasons := [] if ready_made else await self_contained(source):
        raise UnusableSource(
            "the bundled module cannot run on a node:\n" + "\n".join(f"  {reason}" for reason in reasons)
        )
    return Bundle(
        source,
        hashlib.sha256(source).hexdigest(),
        dialect or detect(entry.decode("utf-8", "replace"), source.decode("utf-8")),
        project.entrypoint.as_posix(),
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnusableSource(f"{path} cannot be read: {error.strerror}") from error


def _read_if_there(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


async def _bundled(project: Project) -> bytes:
    deno = await asyncio.to_thread(engines.find, "deno")
    with tempfile.TemporaryDirectory(prefix="nearhop-bundle-") as folder:
        output = Path(folder, "bundle.js")
        process = await children.spawn(
            [deno.path, "bundle", *_flags(project.root), f"--output={output}", f"./{project.entrypoint}"],
            cwd=project.root,
            env=os.environ
            | {
                "DENO_NO_UPDATE_CHECK": "1",
                "NO_COLOR": "1",
                # What Wrangler's and Vercel's bundlers accept: imports without a suffix, built-ins without "node:".
                "DENO_UNSTABLE_SLOPPY_IMPORTS": "1",
                "DENO_UNSTABLE_BARE_NODE_BUILTINS": "1",
            },
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        said = await _wait(process)
        made = _read_if_there(output) if process.returncode == 0 else None
    if made is None:
        raise UnusableSource(readable(said, project.root))
    return made


def _flags(root: Path) -> list[str]:
    flags = ["--platform=deno", "--format=esm", "--minify", "--keep-names", "--external=cloudflare:*"]
    if not (root / "deno.lock").exists():
        flags.append("--no-lock")  # a deploy leaves no new file in the project
    if (root / "package.json").exists() and not (root / "node_modules").exists():
        flags.append("--node-modules-dir=none")
    return flags


async def _wait(process: asyncio.subprocess.Process) -> str:
    try:
        async with asyncio.timeout(_BUNDLE_TIMEOUT_S):
            _, said = await process.communicate()
    except TimeoutError as error:
        raise UnusableSource(
            f"the bundler did not end within {_BUNDLE_TIMEOUT_S:.0f} s: is the network slow?"
        ) from error
    finally:
        if process.returncode is None:
            await children.stop(process, grace_s=1)
    return said.decode("utf-8", "replace")


def readable(said: str, root: Path) -> str:
    """Return what the bundler *said* for people: no colors, no backtrace, files relative to *root*, and what to do about it."""
    text = _ANSI.sub("", said).replace(f"{root.as_uri()}/", "").replace(f"{root}/", "")
    lines = [line.removeprefix("error: ").rstrip() for line in text.splitlines() if not _NOISE.match(line)]
    hint = next((hint for pattern, hint in _HINTS if pattern.search(text)), "")
    message = "\n".join(f"  {line}" for line in lines) or "  the bundler ended without saying why"
    return f"the project cannot be bundled:\n{message}" + (f"\n{hint}" if hint else "")
