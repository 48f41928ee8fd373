"""Where a project's entrypoint is, and what the function is called by default."""

from pathlib import Path

import pytest

from controlplane.bundle import UnusableSource, locate
from controlplane.bundle import project as project_module
from controlplane.bundle.project import as_label
from controlplane.bundle.settings import AssetSettings
from nearhop.spec import Dialect


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


@pytest.mark.parametrize(
    "files",
    [
        {"index.html": "x", "main.js": "document.title = 'x'"},
        {"index.html": "x"},
        {"about.html": "x", "style.css": ""},
        {"wrangler.toml": '[assets]\ndirectory = "."', "a.txt": ""},
        {"deno.json": '{"deploy": {"runtime": {"type": "static"}}}', "a.txt": ""},
        {"vercel.json": "{}", "public/a.txt": ""},
    ],
)
def test_a_folder_of_files_is_a_site(tmp_path: Path, files: dict[str, str]) -> None:
    found = locate(project(tmp_path, **files))
    assert (found.entrypoint, found.expected) == (None, Dialect.STATIC)
    assert found.settings.assets is not None
    with pytest.raises(ValueError, match="no entrypoint"):
        _ = found.file


def test_a_page_beside_a_program_does_not_make_a_site(tmp_path: Path) -> None:
    project(tmp_path, **{"index.html": "x", "main.js": "export default { fetch() {} }"})
    assert locate(tmp_path).entrypoint == Path("main.js")
    assert locate(tmp_path, dialect=Dialect.STATIC).entrypoint is None


def test_a_vercel_project(tmp_path: Path) -> None:
    edge = 'export const config = { runtime: "edge" };\nexport default () => new Response();\n'
    files = {"api/b/[id].ts": edge, "api/a.ts": edge, "api/_lib.ts": "x", "public/a.txt": "a"}
    project(
        tmp_path, **files, **{"src/middleware.ts": "export default () => {}; export const config = { matcher: '/a' }"}
    )
    found = locate(tmp_path)
    assert (found.functions, found.middleware) == (("api/a.ts", "api/b/[id].ts"), "src/middleware.ts")
    assert [route.path for route in found.settings.edge_routes] == ["/api/a", "/api/b/[id]"]
    assert (found.settings.matchers, found.expected) == (("/a",), Dialect.VERCEL)
    assert found.settings.assets == AssetSettings("public", program_first=True)
    assert locate(tmp_path, "api/a.ts").entrypoint == Path("api/a.ts")
    (tmp_path / "api" / "node.ts").write_text("export default (req, res) => res.end()")
    with pytest.raises(UnusableSource, match=r"api/node\.ts is a function for the Node\.js runtime"):
        locate(tmp_path)


def test_a_vercel_project_without_functions_is_what_the_folder_is(tmp_path: Path) -> None:
    project(tmp_path, **{"vercel.json": '{"name": "x"}', "index.ts": ""})
    found = locate(tmp_path)
    assert (found.entrypoint, found.name, found.settings.assets) == (Path("index.ts"), "x", None)


RULES = '{"redirects": [{"source": "/a", "destination": "/b"}]}'
CRONS = '{"crons": [{"path": "/api/a", "schedule": "0 5 * * *"}]}'


@pytest.mark.parametrize(("page", "directory"), [("public/index.html", "public"), ("index.html", ".")])
def test_a_site_with_rules_is_a_program_before_its_files(tmp_path: Path, page: str, directory: str) -> None:
    found = locate(project(tmp_path, **{"vercel.json": RULES, page: "x"}))
    assert (found.entrypoint, found.functions, found.expected) == (None, (), Dialect.VERCEL)
    assert found.settings.assets == AssetSettings(directory, program_first=True)


def test_rules_and_crons_beside_functions(tmp_path: Path) -> None:
    edge = 'export const config = { runtime: "edge" };\nexport default () => new Response();\n'
    project(tmp_path, **{"vercel.json": CRONS, "api/a.ts": edge, "public/a.txt": "a"})
    found = locate(tmp_path)
    assert (found.settings.crons, found.settings.calls) == (("0 5 * * *",), (("0 5 * * *", "/api/a"),))
    assert found.settings.assets == AssetSettings("public")
    (tmp_path / "vercel.json").write_text(RULES)
    assert locate(tmp_path).settings.assets == AssetSettings("public", program_first=True)


@pytest.mark.parametrize("said", [RULES, CRONS])
def test_rules_and_crons_are_not_for_other_programs(tmp_path: Path, said: str) -> None:
    project(tmp_path, **{"vercel.json": said, "index.ts": "x"})
    with pytest.raises(UnusableSource, match=r"index\.ts is none of them"):
        locate(tmp_path)
    with pytest.raises(UnusableSource, match=r"index\.ts is none of them"):
        locate(tmp_path, "index.ts")


def test_crons_need_a_function(tmp_path: Path) -> None:
    project(tmp_path, **{"vercel.json": CRONS, "public/a.html": "x"})
    with pytest.raises(UnusableSource, match="there is no function to call"):
        locate(tmp_path)


def test_many_functions_are_refused(tmp_path: Path) -> None:
    project(tmp_path, **{f"api/f{number}.ts": "" for number in range(201)})
    with pytest.raises(UnusableSource, match="201 functions; at most 200"):
        locate(tmp_path)


def test_middleware_alone_is_a_program(tmp_path: Path) -> None:
    project(tmp_path, **{"middleware.ts": "export const config = { matcher: '/x' }; export default () => {}"})
    found = locate(tmp_path / "middleware.ts")
    assert (found.entrypoint, found.settings.matchers, found.expected) == (
        Path("middleware.ts"),
        ("/x",),
        Dialect.VERCEL,
    )
    assert locate(tmp_path).middleware == "middleware.ts"


def test_environments(tmp_path: Path) -> None:
    project(tmp_path, **{"a.ts": "", "wrangler.toml": 'name = "x"\nmain = "a.ts"\n[env.live]\nvars = { A = "1" }'})
    found = locate(tmp_path, environment="live")
    assert (found.name, found.settings.vars) == ("x-live", {"A": "1"})
    assert locate(tmp_path, "a.ts", environment="live").name == "x-live"
    with pytest.raises(UnusableSource, match="no environment nope; there is live"):
        locate(tmp_path, environment="nope")
    with pytest.raises(UnusableSource, match="--env has no meaning"):
        locate(tmp_path / "a.ts", environment="live")
    (tmp_path / "wrangler.toml").unlink()
    with pytest.raises(UnusableSource, match="no Wrangler configuration"):
        locate(tmp_path, environment="live")


def test_deno_deploys_own_words_tell_the_dialect(tmp_path: Path) -> None:
    project(tmp_path, **{"a.ts": "", "deno.json": '{"deploy": {"entrypoint": "a.ts"}}'})
    assert locate(tmp_path).expected is Dialect.DENO
    assert locate(tmp_path, "a.ts").expected is Dialect.DENO
    (tmp_path / "deno.json").write_text('{"exports": "./a.ts"}')
    assert locate(tmp_path).expected is None


def test_wrangler_without_a_program_or_files_leaves_the_customary_one(tmp_path: Path) -> None:
    project(tmp_path, **{"src/index.ts": "", "wrangler.toml": 'name = "x"'})
    assert locate(tmp_path).entrypoint == Path("src/index.ts")


@pytest.mark.parametrize("content", [b"\xff", b'main = "a\\u0000b"'])
def test_odd_configurations_are_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "wrangler.toml").write_bytes(content)
    with pytest.raises(UnusableSource):
        locate(tmp_path)


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    project(tmp_path, **{"api/a.ts": ""})
    (tmp_path / "api" / "a.ts").unlink()
    (tmp_path / "vercel.json").mkdir()
    with pytest.raises(UnusableSource, match="has no entrypoint"):
        locate(tmp_path)
    with pytest.raises(UnusableSource, match="cannot be read"):
        project_module._text(tmp_path / "nope")
