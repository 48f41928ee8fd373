"""What a project is: its entrypoint or its functions, its settings, its static files, and what the function would be called.

A file stands for itself. A folder says it in its configuration (Wrangler, then Vercel, then Deno, then package.json), else by a customary file
name; a folder of files without a program is a static site.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from controlplane.bundle import denojson, jsonc, vercel, wrangler
from controlplane.bundle.dialect import UnknownDialect, detect
from controlplane.bundle.errors import UnusableSource
from controlplane.bundle.settings import AssetSettings, Settings
from nearhop import names
from nearhop.spec import Dialect

SUFFIXES = vercel.SUFFIXES
_STEMS = ("index", "main", "worker", "src/index", "src/main", "src/worker")
_CUSTOMARY = tuple(f"{stem}{suffix}" for stem in _STEMS for suffix in SUFFIXES)
_WRANGLER = ("wrangler.toml", "wrangler.jsonc", "wrangler.json")  # the first that is there
_NOT_LABEL = re.compile(r"[^a-z0-9]+")
_FUNCTIONS_MAX = 200


@dataclass(frozen=True, slots=True)
class Project:
    """A program on disk: *entrypoint* is relative to *root* unless it lies elsewhere; *name* is the function's by default, None when none fits.

    A static site has no entrypoint, and a Vercel project of several modules has *functions* (files in the routes' order) and *middleware* instead.
    """

    root: Path
    entrypoint: Path | None
    name: str | None
    settings: Settings = field(default_factory=Settings)
    expected: Dialect | None = None
    functions: tuple[str, ...] = ()
    middleware: str | None = None

    @property
    def file(self) -> Path:
        """The entrypoint's whole path. Raises ValueError for a project without one."""
        if self.entrypoint is None:
            raise ValueError("the project has no entrypoint")
        return self.root / self.entrypoint


def locate(
    path: Path, entrypoint: str | None = None, *, environment: str | None = None, dialect: Dialect | None = None
) -> Project:
    """Return the project at *path*, a file or a folder.

    *entrypoint*, relative to the folder, overrides what the folder says; *environment* is one of the Wrangler configuration's; a *dialect* that is
    asked for settles what could be two. Raises UnusableSource when there is no program, or more than one that could be it.
    """
    if path.is_file():
        return _single(path, entrypoint, environment)
    if not path.is_dir():
        raise UnusableSource(f"{path} does not exist: give a JavaScript or TypeScript file, or a project folder")
    root = path.absolute()
    project = _wrangler_project(root, entrypoint, environment)
    if project is not None:
        return project
    if environment is not None:
        raise UnusableSource(f"{root} has no Wrangler configuration, so there is no environment {environment}")
    return _vercel_project(root, entrypoint, dialect) or _plain_project(root, entrypoint, dialect)


def _single(path: Path, entrypoint: str | None, environment: str | None) -> Project:
    if entrypoint is not None:
        raise UnusableSource(f"{path} is a file, so --entrypoint has no meaning: leave it out, or give the folder")
    if environment is not None:
        raise UnusableSource(f"{path} is a file, so --env has no meaning: give the folder with wrangler.toml")
    if path.suffix not in SUFFIXES:
        raise UnusableSource(f"{path} is neither JavaScript nor TypeScript: give a {', '.join(SUFFIXES)} file")
    project = Project(path.absolute().parent, Path(path.name), as_label(path.stem))
    if path.name in vercel.MIDDLEWARE:
        return _with_middleware(project, path.name)
    return project


def _with_middleware(project: Project, file: str) -> Project:
    matchers = vercel.matchers(file, _text(project.root / file))
    return replace(project, settings=replace(project.settings, matchers=matchers), expected=Dialect.VERCEL)


def as_label(text: str) -> str | None:
    """Return the function name that is nearest to *text*, or None when none is near."""
    label = _NOT_LABEL.sub("-", text.lower()).strip("-")[: names.LABEL_MAX].rstrip("-")
    return None if names.function_name_reasons(label) else label


def _name(root: Path, settings: Settings) -> str | None:
    return as_label(settings.name if settings.name is not None else root.resolve().name)


def _wrangler_project(root: Path, entrypoint: str | None, environment: str | None) -> Project | None:
    file = next((file for file in _WRANGLER if (root / file).is_file()), None)
    if file is None:
        return None
    settings = wrangler.read(file, jsonc.parse(file, _text(root / file)), environment)
    if entrypoint is not None:
        return Project(root, _chosen(root, entrypoint), _name(root, settings), settings)
    if settings.main is None and settings.assets is None:
        entry = _customary(root)
        return Project(root, entry, _name(root, settings), settings)
    if settings.main is None:
        return Project(root, None, _name(root, settings), settings, Dialect.STATIC)
    return Project(root, _declared(root, file, settings.main), _name(root, settings), settings)


def _vercel_project(root: Path, entrypoint: str | None, dialect: Dialect | None) -> Project | None:
    functions = tuple(_functions(root))
    middleware = next((file for file in vercel.MIDDLEWARE if (root / file).is_file()), None)
    config = root / "vercel.json"
    if not config.is_file() and not functions and middleware is None:
        return None
    settings = vercel.read("vercel.json", jsonc.parse("vercel.json", _text(config))) if config.is_file() else Settings()
    assets = settings.assets or AssetSettings("public")
    beside = (root / assets.directory).is_dir()
    first = middleware is not None or settings.routing is not None
    settings = replace(settings, assets=replace(assets, program_first=first) if beside else None)
    if entrypoint is not None:
        return _routed(Project(root, _chosen(root, entrypoint), _name(root, settings), settings))
    for file in functions:
        vercel.check_edge(file, _text(root / file))
    project = Project(root, None, _name(root, settings), replace(settings, edge_routes=vercel.routes(functions)))
    if middleware is not None:
        project = _with_middleware(project, middleware)
    if functions or middleware:
        return replace(project, functions=functions, middleware=middleware, expected=Dialect.VERCEL)
    found = replace(project, expected=Dialect.STATIC) if beside else _from_folder(root, settings, dialect)
    return _routed(found)


def _routed(project: Project) -> Project:
    """A project of vercel.json without functions: with rules it is a program that follows them before it shows its files."""
    settings = project.settings
    if project.entrypoint is not None and (settings.routing or settings.calls):
        raise UnusableSource(
            "vercel.json: redirects, rewrites, headers and crons are for functions in api/, middleware and static files, "
            f"and {project.entrypoint} is none of them: let it do that itself"
        )
    if settings.calls:
        raise UnusableSource("vercel.json: crons: there is no function to call: put one into api/")
    if settings.routing is None or settings.assets is None:
        return project
    assets = replace(settings.assets, program_first=True)
    return replace(project, settings=replace(settings, assets=assets), expected=Dialect.VERCEL)


def _functions(root: Path) -> list[str]:
    files = sorted(path.relative_to(root).as_posix() for path in (root / "api").rglob("*") if path.is_file())
    found = [file for file in files if vercel.is_function(file)]
    if len(found) > _FUNCTIONS_MAX:
        raise UnusableSource(f"api holds {len(found)} functions; at most {_FUNCTIONS_MAX} make one program")
    return found


def _plain_project(root: Path, entrypoint: str | None, dialect: Dialect | None) -> Project:
    file = next((file for file in ("deno.json", "deno.jsonc") if (root / file).is_file()), None)
    table = jsonc.parse(file, _text(root / file)) if file else {}
    settings = denojson.read(file, table) if file else Settings()
    # Who says how Deno Deploy runs it means Deno's form of a default export; exports alone say nothing of that.
    expected = Dialect.DENO if "deploy" in table else None
    if entrypoint is not None:
        return Project(root, _chosen(root, entrypoint), _name(root, settings), settings, expected)
    if settings.assets is not None:
        return Project(root, None, _name(root, settings), settings, Dialect.STATIC)
    if settings.main is not None and file is not None:
        return Project(root, _declared(root, file, settings.main), _name(root, settings), settings, expected)
    return _from_folder(root, settings, dialect)


def _from_folder(root: Path, settings: Settings, dialect: Dialect | None) -> Project:
    """A folder without a word about itself: a program, or a static site, of which a script may be called index.js too."""
    site = Project(root, None, _name(root, settings), replace(settings, assets=AssetSettings(".")), Dialect.STATIC)
    if dialect is Dialect.STATIC:
        return site
    candidates = _candidates(root)
    pages = (root / "index.html").is_file() or (not candidates and any(root.glob("*.html")))
    if dialect is None and pages and not any(_handles(root / file) for file in candidates):
        return site
    return Project(root, _customary(root), _name(root, settings), settings)


def _handles(file: Path) -> bool:
    text = _text(file)
    try:
        detect(text, text)
    except UnknownDialect:
        return False
    return True


def _chosen(root: Path, entrypoint: str) -> Path:
    if not (root / entrypoint).is_file():
        raise UnusableSource(f"--entrypoint {entrypoint} is not a file in {root}")
    return Path(entrypoint)


def _declared(root: Path, file: str, entry: str) -> Path:
    try:
        there = (root / entry).is_file()
    except ValueError:  # a NUL
        there = False
    if not there:
        raise UnusableSource(
            f"{file} names {entry}, which is not there: build it first, or choose one with --entrypoint"
        )
    return Path(entry)


def _candidates(root: Path) -> list[str]:
    found = [*_package_entries(root), *(file for file in _CUSTOMARY if (root / file).is_file())]
    return list(dict.fromkeys(found))


def _customary(root: Path) -> Path:
    match _candidates(root):
        case [only]:
            return Path(only)
        case []:
            raise UnusableSource(
                f"{root} has no entrypoint: none is named in wrangler.toml, deno.json or package.json, there is no index, main, worker or "
                "src/index file, and no page of a site. Choose one with --entrypoint FILE, or deploy the files alone with --dialect static"
            )
        case several:
            raise UnusableSource(
                f"{root} has several possible entrypoints: {', '.join(several)}. Choose one with --entrypoint FILE"
            )


def _package_entries(root: Path) -> Iterator[str]:
    # The module form first; "main" is often a default that was never written, so a missing file is passed over.
    if not (root / "package.json").is_file():
        return
    package = jsonc.parse("package.json", _text(root / "package.json"))
    for key in ("module", "main"):
        entry = package.get(key)
        if isinstance(entry, str) and entry.endswith(SUFFIXES) and "\0" not in entry and (root / entry).is_file():
            yield Path(entry).as_posix()
            return


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UnusableSource(f"{path.name} is not UTF-8: {error.reason} at byte {error.start}") from error
    except OSError as error:
        raise UnusableSource(f"{path} cannot be read: {error.strerror}") from error
