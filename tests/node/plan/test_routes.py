"""Names of previews and of sets of files."""

from dataclasses import replace

from node.plan import routes
from node.plan.records import Assets, Dialect, Manifest, Version

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
