"""Deno's configuration, and what Deno Deploy reads in it."""

from typing import Any

import pytest

from controlplane.bundle import denojson
from controlplane.bundle.errors import UnusableSource
from controlplane.bundle.settings import AssetSettings, Settings


@pytest.mark.parametrize(
    ("table", "settings"),
    [
        ({}, Settings()),
        ({"tasks": {"x": "y"}, "imports": {"a": "npm:a"}, "fmt": {"x": 1}, "name": "@me/lib"}, Settings()),
        ({"exports": "./a.ts"}, Settings(main="./a.ts")),
        ({"exports": {".": "./a.ts", "./b": "./b.ts"}}, Settings(main="./a.ts")),
        ({"exports": {"./b": "./b.ts"}}, Settings()),
        ({"exports": "./a.ts", "deploy": {"entrypoint": "./b.ts", "org": "me"}}, Settings(main="./b.ts")),
        ({"deploy": {"runtime": {"entrypoint": "./c.ts"}, "entrypoint": "./b.ts"}}, Settings(main="./c.ts")),
        ({"deploy": {"runtime": {"type": "static", "cwd": "dist"}}}, Settings(assets=AssetSettings("dist"))),
        (
            {"exports": "./a.ts", "deploy": {"runtime": {"type": "static", "spa": True}}},
            Settings(assets=AssetSettings(".", not_found_handling="single-page-application")),
        ),
        ({"unstable": ["kv"]}, Settings(warnings=("deno.json: unstable: is not honored here",))),
        (
            {"deploy": {"install": "npm ci", "runtime": {"memory_limit": 1}}},
            Settings(
                warnings=(
                    "deno.json: deploy.runtime.memory_limit: is not honored here",
                    "deno.json: deploy.install: is not honored here",
                )
            ),
        ),
    ],
)
def test_what_it_says(table: dict[str, Any], settings: Settings) -> None:
    assert denojson.read("deno.json", table) == settings


@pytest.mark.parametrize(
    ("table", "error"),
    [
        ({"deploy": []}, "deploy: must be a table"),
        ({"deploy": {"framework": "fresh"}}, "deploy.framework: frameworks are not built here"),
        ({"deploy": {"runtime": {"type": "magic"}}}, "deploy.runtime.type: must be one of dynamic, static"),
        ({"deploy": {"runtime": {"args": ["x"]}}}, "deploy.runtime.args: "),
        ({"deploy": {"runtime": {"type": "static", "spa": 1}}}, "deploy.runtime.spa: must be true or false"),
    ],
)
def test_what_is_wrong(table: dict[str, Any], error: str) -> None:
    with pytest.raises(UnusableSource, match=error):
        denojson.read("deno.json", table)
