"""Deno's configuration, deno.json(c), as settings. Pure. Its import map is the bundler's business, which reads it by itself."""

from collections.abc import Mapping
from typing import Any

from controlplane.bundle.settings import AssetSettings, Keys, Settings

# What Deno's tools need and no program sees, and what the bundler reads by itself.
_SILENT = frozenset(
    {
        "$schema", "bench", "catalog", "catalogs", "compilerOptions", "description", "exclude", "fmt", "importMap", "imports", "license", "links",
        "lint", "lock", "minimumDependencyAge", "name", "nodeModulesDir", "publish", "scopes", "tasks", "test", "vendor", "version", "workspace",
    }
)  # fmt: skip
_DEPLOY = {"framework": "frameworks are not built here: build the project, and deploy what comes out"}
_DEPLOY_SILENT = frozenset({"org", "app", "exclude", "include", "project"})


def read(file: str, table: Mapping[str, Any]) -> Settings:
    """Return what *table* says. Raises UnusableSource with every error."""
    keys = Keys(file, table)
    main = _exports(keys)
    assets = None
    deploy = keys.table("deploy")
    if deploy is not None:
        runtime, own = deploy.table("runtime"), deploy.text("entrypoint")
        main = (runtime and runtime.text("entrypoint")) or own or main
        if runtime is not None:
            assets = _static(runtime)
        deploy.rest(meaningful=_DEPLOY, silent=_DEPLOY_SILENT)
    keys.rest(meaningful={}, silent=_SILENT)
    keys.raise_if_any()
    return Settings(main=None if assets else main, assets=assets, warnings=tuple(keys.warnings))


def _exports(keys: Keys) -> str | None:
    exports = keys.any("exports")
    if isinstance(exports, dict):
        exports = exports.get(".")
    return exports if isinstance(exports, str) and exports else None


def _static(runtime: Keys) -> AssetSettings | None:
    if (runtime.one_of("type", ("dynamic", "static")) or "dynamic") == "dynamic":
        if runtime.present("args"):
            runtime.error("args", "a program gets no arguments here")
        runtime.rest(meaningful={})
        return None
    directory, spa = runtime.text("cwd") or ".", runtime.flag("spa")
    runtime.rest(meaningful={})
    return AssetSettings(directory, not_found_handling="single-page-application" if spa else "none")
