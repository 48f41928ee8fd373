"""Where a project's entrypoint is, and what the function is called by default."""

from pathlib import Path

import pytest

from controlplane.bundle import UnusableSource, locate
from controlplane.bundle.project import as_label


def project(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_file_is_its_own_entrypoint(tmp_path: Path) -> None:
    project(tmp_path, **{"My Worker.ts": ""})
    found = locate(tmp_path / "My Worker.ts")
    assert (found.file, found.name) == (tmp_path / "My Worker.ts", "my-worker")


@pytest.mark.parametrize(
    ("files", "entrypoint"),
    [
        ({"index.ts": ""}, "index.ts"),
        ({"main.js": ""}, "main.js"),
        ({"worker.mjs": ""}, "worker.mjs"),
        ({"src/index.tsx": ""}, "src/index.tsx"),
        ({"index.ts": "", "a.ts": "", "wrangler.toml": 'main = "a.ts"'}, "a.ts"),
        ({"a.ts": "", "wrangler.jsonc": '{\n // "no"\n "main": "a.ts", /* x */ }'}, "a.ts"),
        ({"a.ts": "", "wrangler.json": '{"main": "a.ts"}'}, "a.ts"),
        ({"index.ts": "", "a.ts": "", "deno.json": '{"exports": "./a.ts"}'}, "a.ts"),
        ({"a.ts": "", "deno.json": '{"exports": {".": "./a.ts", "./x": "./b.ts"}}'}, "a.ts"),
        ({"a.ts": "", "b.ts": "", "deno.json": '{"exports": "./b.ts", "deploy": {"entrypoint": "a.ts"}}'}, "a.ts"),
        ({"a.ts": "", "deno.jsonc": '{"deploy": {"runtime": {"entrypoint": "a.ts"}},}'}, "a.ts"),
        ({"a.js": "", "package.json": '{"main": "a.js"}'}, "a.js"),
        ({"index.js": "", "package.json": '{"main": "./index.js"}'}, "index.js"),
        ({"a.mjs": "", "a.js": "", "package.json": '{"main": "a.js", "module": "a.mjs"}'}, "a.mjs"),
        ({"src/index.ts": "", "package.json": '{"main": "index.js", "name": "x"}'}, "src/index.ts"),
        ({"index.ts": "", "deno.json": '{"tasks": {"x": "echo // not a comment"}}'}, "index.ts"),
    ],
)
def test_a_folder_says_its_entrypoint(tmp_path: Path, files: dict[str, str], entrypoint: str) -> None:
    assert locate(project(tmp_path, **files)).entrypoint == Path(entrypoint)


def test_several_candidates_are_listed(tmp_path: Path) -> None:
    project(tmp_path, **{"index.ts": "", "main.ts": ""})
    with pytest.raises(UnusableSource, match=r"index\.ts, main\.ts\. Choose one with --entrypoint"):
        locate(tmp_path)
    assert locate(tmp_path, "main.ts").entrypoint == Path("main.ts")


def test_a_package_and_a_customary_file_that_differ_are_listed(tmp_path: Path) -> None:
    project(tmp_path, **{"a.js": "", "index.js": "", "package.json": '{"main": "a.js"}'})
    with pytest.raises(UnusableSource, match=r"a\.js, index\.js"):
        locate(tmp_path)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"readme.md": ""}, "has no entrypoint"),
        ({"index.ts": "", "wrangler.toml": 'main = "dist/x.js"'}, "dist/x.js, which is not there"),
        ({"wrangler.toml": "main ="}, "is not TOML"),
        ({"deno.json": "{"}, "is not JSON"),
        ({"package.json": "[]"}, "is not a JSON object"),
    ],
)
def test_what_is_wrong_with_a_folder_is_told(tmp_path: Path, files: dict[str, str], said: str) -> None:
    with pytest.raises(UnusableSource, match=said):
        locate(project(tmp_path, **files))


def test_what_is_no_program_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnusableSource, match="does not exist"):
        locate(tmp_path / "nope")
    (tmp_path / "x.py").write_text("")
    with pytest.raises(UnusableSource, match="neither JavaScript nor TypeScript"):
        locate(tmp_path / "x.py")
    (tmp_path / "x.js").write_text("")
    with pytest.raises(UnusableSource, match="has no meaning"):
        locate(tmp_path / "x.js", "y.js")
    with pytest.raises(UnusableSource, match="is not a file"):
        locate(tmp_path, "y.js")


def test_wrangler_names_the_function(tmp_path: Path) -> None:
    project(tmp_path, **{"index.ts": "", "wrangler.toml": 'name = "My_App"'})
    assert locate(tmp_path).name == "my-app"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("hello", "hello"),
        ("Hello World!", "hello-world"),
        ("a__b", "a-b"),
        ("1st", None),
        ("日本", None),
        ("ns1", None),
        ("x" * 70, "x" * 63),
    ],
)
def test_names_become_labels(text: str, label: str | None) -> None:
    assert as_label(text) == label
