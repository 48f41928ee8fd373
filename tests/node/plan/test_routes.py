"""Names of previews and of sets of files."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearhop.spec import Assets, Dialect, Manifest
from node.plan import routes
from node.plan.records import Version

PACK = Assets("f" * 64, 9)
SOME = replace(PACK, program_first_paths=("/api/*", "!/api/docs/*"))
PATHS = ("/", "/api/x", "/api/docs/y", "/apix")


def version(assets: Assets | None) -> Version:
    return Version(3, "d" * 64, 10, Dialect.WORKERS, Manifest(assets=assets))


def test_a_preview_names_its_version() -> None:
    assert routes.preview("a", 3, "nearhop.test") == "v3--a.nearhop.test"


def test_patterns_leave_files_to_the_program() -> None:
    assert routes.answered(PACK, PATHS) == frozenset(PATHS)
    assert routes.answered(SOME, PATHS) == {"/", "/api/docs/y", "/apix"}


def test_a_set_is_named_after_its_pack_and_what_is_left_out() -> None:
    assert routes.asset_set(PACK) == "f" * 64
    assert routes.asset_set(SOME).startswith("f" * 64 + "-")
    assert routes.asset_set(SOME) != routes.asset_set(replace(PACK, program_first_paths=("/api/*",)))


def test_sets_of_several_versions() -> None:
    behind = replace(PACK, digest="e" * 64, program_first=True)
    found = routes.files([version(PACK), version(SOME), version(None), version(behind)], lambda _: PATHS)
    assert found == {"f" * 64: frozenset(PATHS), routes.asset_set(SOME): {"/", "/api/docs/y", "/apix"}}


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("/a", "/a", True),
        ("/a", "/ab", False),
        ("/a*", "/a", True),
        ("*", "", True),
        ("/*/b", "/x/y/b", True),
        ("/*/b", "/b", False),
        ("/a*a", "/a", False),
        ("/a*b*c", "/axbxc", True),
        ("/a*b*c", "/axcxb", False),
        ("/a*b*b", "/ab", False),
        ("/a**c", "/ac", True),
        ("/a.c", "/abc", False),
    ],
)
def test_patterns(pattern: str, path: str, fits: bool) -> None:
    assert routes.fits(pattern, path) is fits


@given(st.text("ab*", max_size=8), st.text("ab", max_size=12))
def test_patterns_mean_what_their_regular_expressions_do(pattern: str, path: str) -> None:
    expression = ".*".join(re.escape(part) for part in pattern.split("*"))
    assert routes.fits(pattern, path) is (re.fullmatch(expression, path) is not None)


def test_no_pattern_takes_long() -> None:
    hostile = replace(SOME, program_first_paths=("/" + "*a" * 500 + "*b",))
    assert routes.answered(hostile, ["/" + "a" * 1000] * 100) == {"/" + "a" * 1000}
