"""From a project to one self-contained ES module, with Deno's bundler, and the pack of its static files.

A JavaScript file that is self-contained already is taken as it is: the bundler fetches its own helper from the network on its first run, and
such a file needs none of it. Bundles are minified, because only then do they hold no path of this machine; function and class names are kept.
"""

import asyncio
import hashlib
import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from controlplane.bundle import assets, attachments, vercel
from controlplane.bundle.assets import AssetPack
from controlplane.bundle.dialect import deno_crons, detect, handlers
from controlplane.bundle.errors import UnusableSource
from controlplane.bundle.modules import self_contained
from controlplane.bundle.project import Project
from controlplane.bundle.settings import Settings
from nearhop import children, engines
from nearhop.spec import Dialect

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


# CommonJS packages ask where they lie. They lie nowhere, and Vercel's and Wrangler's bundlers say so with a slash.
_WHERE = re.compile(rb"(?<![\w$.])__(?:dirname|filename)\b")
_NOWHERE = b'var __dirname="/",__filename="/index.js";'

# The program of a site without one: every version has a module, so that nothing else is special about it.
STATIC_MODULE = b"export default { fetch: (request, env) => env.ASSETS.fetch(request) };\n"
STATIC_BINDING = "ASSETS"


@dataclass(frozen=True, slots=True)
class Bundle:
    """One self-contained ES module, ready to upload, with what the project's files say of it and, if it has them, its static files.

    *entrypoint* is for people.
    """

    source: bytes
    digest: str
    dialect: Dialect
    entrypoint: str
    settings: Settings = field(default_factory=Settings)
    assets: AssetPack | None = None
    handlers: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What of the project is not honored, a sentence each."""
        return (*self.settings.warnings, *(self.assets.warnings if self.assets else ()))


async def bundle(project: Project, dialect: Dialect | None = None) -> Bundle:
    """Make *project* one module; *dialect* overrides what its text says.

    Raises UnusableSource with the bundler's errors or the reasons why its result is refused, UnknownDialect, EngineMissing.
    """
    source, found, entrypoint = await _program(project)
    dialect = dialect or found(source)
    if dialect is Dialect.STATIC and source != STATIC_MODULE:
        raise UnusableSource(f"{entrypoint} is a program, and --dialect static is for a folder of files")
    pack = await asyncio.to_thread(_pack, project, dialect)
    text = source.decode("utf-8", "replace")
    settings = _with_crons(project.settings, text) if dialect is Dialect.DENO else project.settings
    return Bundle(
        source,
        hashlib.sha256(source).hexdigest(),
        dialect,
        entrypoint,
        settings,
        pack,
        handlers(text),
    )


async def _program(project: Project) -> tuple[bytes, Callable[[bytes], Dialect], str]:
    """Return the module, how its dialect is told, and what people call its entrypoint."""
    modules = bool(project.functions or project.middleware)
    if project.entrypoint is None and not modules and project.settings.routing is not None:
        return _made_entry(project).encode(), lambda _: Dialect.VERCEL, "vercel.json"
    if project.entrypoint is None and not modules:
        return STATIC_MODULE, lambda _: Dialect.STATIC, project.settings.assets.directory if project.settings.assets else "."  # fmt: skip
    if project.entrypoint is None:
        parts = [*([project.middleware] if project.middleware else []), *project.functions]
        source = await _accepted(await _bundled(project.root, _made_entry(project)))
        return source, lambda _: Dialect.VERCEL, parts[0] if len(parts) == 1 else f"{parts[0]} and {len(parts) - 1} more"  # fmt: skip
    entry = _read(project.file)
    ready_made = project.file.suffix in _READY_MADE and not await self_contained(entry)
    source = entry if ready_made else await _accepted(await _bundled(project.root, f"./{project.entrypoint}"))
    text = entry.decode("utf-8", "replace")
    return source, lambda made: detect(text, made.decode("utf-8", "replace"), expected=project.expected), project.entrypoint.as_posix()  # fmt: skip


async def _accepted(source: bytes) -> bytes:
    if reasons := await self_contained(source):
        raise UnusableSource(
            "the bundled module cannot run on a node:\n" + "\n".join(f"  {reason}" for reason in reasons)
        )
    return source


def _made_entry(project: Project) -> str:
    modules = zip((_url(project.root / file) for file in project.functions), project.settings.edge_routes, strict=True)
    middleware = _url(project.root / project.middleware) if project.middleware else None
    return vercel.entry(modules, middleware, project.settings)


def _url(path: Path) -> str:
    return path.as_uri()


def _with_crons(settings: Settings, text: str) -> Settings:
    crons, unread = deno_crons(text)
    if not unread:
        return replace(settings, crons=crons)
    warning = f"Deno.cron: {unread} calls do not write out their name and schedule as texts, and are never called: the platform reads them at deploy"
    return replace(settings, crons=crons, warnings=(*settings.warnings, warning))


def _pack(project: Project, dialect: Dialect) -> AssetPack | None:
    if project.settings.assets is None:
        return None
    pack = assets.pack(project.root, project.settings.assets)
    if dialect is not Dialect.STATIC and pack.dynamic_redirects and not project.settings.assets.program_first:
        raise UnusableSource(
            f"_redirects: {pack.dynamic_redirects[0]} stands for paths that the program is asked for; beside a program write out each path, "
            "or let the program redirect"
        )
    return pack


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnusableSource(f"{path} cannot be read: {error.strerror}") from error


def _read_if_there(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


async def _bundled(root: Path, entry: str) -> bytes:
    """Bundle *entry*: the path of a file, or the text of a module that was made here."""
    deno = await asyncio.to_thread(engines.find, "deno")
    with tempfile.TemporaryDirectory(prefix="nearhop-bundle-") as folder:
        output = Path(folder, "bundle.js")
        if not entry.startswith("./"):
            made = Path(folder, "entry.mjs")
            await asyncio.to_thread(made.write_text, entry, "utf-8")
            entry = str(made)
        attached = await asyncio.to_thread(attachments.find, root)
        mapped = [f"--import-map={attachments.write(root, attached, Path(folder))}"] if attached else []
        process = await children.spawn(
            [deno.path, "bundle", *_flags(root), *mapped, f"--output={output}", entry],
            cwd=root,
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
        bundled = _read_if_there(output) if process.returncode == 0 else None
    if bundled is None:
        raise UnusableSource(readable(said, root))
    return _NOWHERE + bundled if _WHERE.search(bundled) else bundled


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
