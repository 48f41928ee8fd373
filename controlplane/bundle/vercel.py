"""Vercel's project files: vercel.json, functions in api/ by the file system, middleware. Pure.

A project becomes one program: a made entrypoint imports every module and exports its namespace under a name, which the edge routes tell.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from controlplane.bundle import routing
from controlplane.bundle.dialect import is_edge, without_prose
from controlplane.bundle.errors import UnusableSource
from controlplane.bundle.settings import AssetSettings, Keys, Settings
from nearhop.spec import EdgeRoute

SUFFIXES = (".ts", ".tsx", ".mts", ".js", ".jsx", ".mjs")
MIDDLEWARE = tuple(f"{folder}middleware{suffix}" for folder in ("", "src/") for suffix in SUFFIXES)
_MEANINGFUL = {
    "routes": "the older way to route is not read here: use redirects, rewrites and headers",
    "builds": "builders are not run here: deploy what comes out of them",
    "experimentalServices": "services are not run here",
    "framework": "frameworks are not built here: build the project, and deploy what comes out",
    "images": "images are not optimized here",
}
_SILENT = frozenset(
    {"$schema", "alias", "bunVersion", "devCommand", "git", "github", "ignoreCommand", "public", "scope", "version"}
)
_MATCHER = re.compile(r"\bmatcher\s*:\s*")
_TEXT = re.compile(r"""\s*(?:"((?:\\.|[^"\\\n])*)"|'((?:\\.|[^'\\\n])*)'|`([^`$\\]*)`)\s*""")
_SEGMENT = re.compile(r"\[(?:\.\.\.)?[A-Za-z_]\w*\]|\[\[\.\.\.[A-Za-z_]\w*\]\]|[^\[\]]+", re.ASCII)


def read(file: str, table: Mapping[str, Any]) -> Settings:
    """Return what vercel.json's *table* says. Raises UnusableSource with every error."""
    keys = Keys(file, table)
    html = _html_handling(keys)
    directory = keys.text("outputDirectory")
    for pattern, options in _functions(keys):
        if isinstance(options, dict) and str(options.get("runtime", "edge")) != "edge":
            keys.error(f"functions.{pattern}", f"the runtime {options['runtime']!s:.40} is not offered: only edge functions run here")  # fmt: skip
        else:
            keys.warn(f"functions.{pattern}", "is not honored here")
    environment = keys.table("env")
    variables: dict[str, str] = {}
    for name, value in environment.items() if environment else ():
        if not isinstance(value, str) or value.startswith("@"):
            keys.error(f"env.{name}", "must be a text, and no reference to a secret: set that with nearhop secret")
        else:
            variables[name] = value
    project_name = keys.text("name")
    routed, calls = routing.routing(keys), routing.crons(keys)
    keys.rest(meaningful=_MEANINGFUL, silent=_SILENT)
    keys.raise_if_any()
    assets = AssetSettings(directory or "public", html_handling=html)
    return Settings(
        name=project_name,
        vars=variables,
        assets=assets,
        crons=tuple(dict.fromkeys(schedule for schedule, _ in calls)),
        calls=calls,
        routing=routed,
        warnings=tuple(keys.warnings),
    )


def _functions(keys: Keys) -> Iterable[tuple[str, Any]]:
    table = keys.table("functions")
    return table.items() if table else ()


def _html_handling(keys: Keys) -> str:
    clean, slash = keys.flag("cleanUrls"), keys.flag("trailingSlash")
    if slash is not None:
        return "force-trailing-slash" if slash else "drop-trailing-slash"
    return "drop-trailing-slash" if clean else "auto-trailing-slash"


def is_function(path: str) -> bool:
    """Tell whether *path*, relative to the project, is a function's file."""
    folders, _, file = path.rpartition("/")
    private = any(part.startswith(("_", ".")) for part in path.split("/"))
    return (folders == "api" or folders.startswith("api/")) and file.endswith(SUFFIXES) and not file.endswith(".d.ts") and not private  # fmt: skip


def routes(paths: Iterable[str]) -> tuple[EdgeRoute, ...]:
    """Return the route of each function's file of *paths*, in their order. Raises UnusableSource."""
    found = []
    seen: dict[str, str] = {}
    for number, path in enumerate(paths):
        route = f"/{path[: path.rindex('.')]}"
        route = route.removesuffix("/index") or "/"
        for segment in route.split("/")[1:]:
            if not _SEGMENT.fullmatch(segment) or (segment.startswith("[[")):
                raise UnusableSource(f"{path}: {segment} is no segment of a route: write name, [name] or [...name]")
        if (other := seen.setdefault(route, path)) != path:
            raise UnusableSource(f"{path} and {other} answer the same path")
        found.append(EdgeRoute(route, f"route{number}"))
    return tuple(found)


def check_edge(path: str, text: str) -> None:
    """Make sure that the function *path* asks for the edge runtime. Raises UnusableSource."""
    if not is_edge(text):
        raise UnusableSource(
            f"{path} is a function for the Node.js runtime, which is not offered: if it needs none of Node, add "
            'export const config = { runtime: "edge" }'
        )


def matchers(path: str, text: str) -> tuple[str, ...]:
    """Return the path patterns that middleware's *text* asks for; empty: every path, or what its config says while it runs.

    Raises UnusableSource for what is not written out.
    """
    plain = without_prose(text, texts=True)
    start = _MATCHER.search(plain)
    if start is None:
        return ()
    at = start.end()
    if plain[at : at + 1] == "{":
        return ()
    if plain[at : at + 1] != "[":
        return (_one(path, plain, at)[0],)
    found: list[str] = []
    at += 1
    while True:
        at += len(plain[at:]) - len(plain[at:].lstrip())
        if plain[at : at + 1] == "]":
            return tuple(found)
        if plain[at : at + 1] == "{":  # with conditions: the guest reads the whole list
            return ()
        pattern, at = _one(path, plain, at)
        found.append(pattern)
        if plain[at : at + 1] == ",":
            at += 1


def _one(path: str, text: str, at: int) -> tuple[str, int]:
    match = _TEXT.match(text, at)
    pattern = next((group for group in match.groups() if group is not None), "") if match else ""
    if match is None or not pattern.startswith("/"):
        raise UnusableSource(
            f"{path}: config.matcher must be a path or a list of paths, written out as texts or as {{ source, has, missing }}"
        )
    return re.sub(r"\\(.)", r"\1", pattern), match.end()


def entry(functions: Iterable[tuple[str, EdgeRoute]], middleware: str | None, settings: Settings) -> str:
    """Return the entrypoint that brings *functions* (URL of the module, its route), *middleware* (URL) and what vercel.json says together."""
    lines = []
    if middleware is not None:
        lines.append(f"import * as gate from {json.dumps(middleware)};")
        lines.append("export const middleware = gate.middleware ?? gate.default;")
        lines.append("export const config = gate.config;")
    lines += [f"export * as {route.export} from {json.dumps(url)};" for url, route in functions]
    calls = [{"schedule": schedule, "path": path} for schedule, path in settings.calls]
    said = {key: value for key, value in (("routing", settings.routing), ("crons", calls)) if value}
    if said:
        lines.append(f"export const vercelJson = {json.dumps(said)};")
    return "\n".join([*lines, ""])
