"""Files that programs import as text, bytes or WebAssembly."""

import json
from pathlib import Path

import pytest

from controlplane.bundle import attachments
from controlplane.bundle.errors import UnusableSource


def project(root: Path, **files: str | bytes) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def test_what_is_imported_is_found(tmp_path: Path) -> None:
    root = project(
        tmp_path,
        **{
            "src/a.ts": "import page from '../p.html'; import a from \"./n.txt\"\nimport b from './n.txt'; import w from './w.wasm?module'",
            "src/n.txt": 'a "note"',
            "p.html": "<p>",
            "src/w.wasm": b"\0asm",
            "b.js": "import data from './d.bin'; import sql from './q.sql'; import w from './src/w.wasm'",
            "d.bin": b"\1\2",
            "q.sql": "SELECT 1",
        },
    )
    found = {attachment.url.removeprefix(root.as_uri()): attachment.module for attachment in attachments.find(root)}
    wasm = 'export default new WebAssembly.Module(Uint8Array.from(atob("AGFzbQ=="), (c) => c.charCodeAt(0)));\n'
    assert found == {
        "/src/n.txt": 'export default "a \\"note\\"";\n',
        "/p.html": 'export default "<p>";\n',
        "/src/w.wasm": wasm,
        "/src/w.wasm?module": wasm,
        "/d.bin": 'export default Uint8Array.from(atob("AQI="), (c) => c.charCodeAt(0)).buffer;\n',
        "/q.sql": 'export default "SELECT 1";\n',
    }


@pytest.mark.parametrize(
    "text",
    [
        "import page from './p.html' with { type: 'text' }",
        "import { add } from './p.html'",
        "import * as page from './p.html'",
        "import page from 'p.html'",
        "import page from './absent.html'",
        "import page from './p.json'",
    ],
)
def test_what_is_deno_s_own_or_not_there_is_left_to_the_bundler(tmp_path: Path, text: str) -> None:
    assert attachments.find(project(tmp_path, **{"a.ts": text, "p.html": "x", "p.json": "{}"})) == []


def test_packages_hidden_folders_and_huge_sources_are_not_read(tmp_path: Path) -> None:
    text = "import page from './p.html';"
    files = {f"{folder}/a.ts": text for folder in ("node_modules/x", ".git")} | {
        "a.d.ts": text,
        "big.js": text + " " * (1 << 20),
    }
    pages = {f"{folder}p.html": "x" for folder in ("node_modules/x/", ".git/", "")}
    assert attachments.find(project(tmp_path, **files, **pages)) == []


def refused(_: Path) -> bytes:
    """What only root would not meet."""
    raise PermissionError(13, "Permission denied")


def test_a_file_that_cannot_be_taken_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = project(tmp_path, **{"a.ts": "import n from './n.txt'", "n.txt": "long"})
    monkeypatch.setattr(attachments, "FILE_MAX_BYTES", 3)
    with pytest.raises(UnusableSource, match=r"n\.txt has 4 bytes; at most 3"):
        attachments.find(root)
    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(UnusableSource, match=r"n\.txt cannot be read: Permission denied"):
        attachments.find(root)
    monkeypatch.setattr(attachments, "SOURCES_MAX", 0)
    assert attachments.find(root) == []


def test_a_project_without_a_map_has_none(tmp_path: Path) -> None:
    path = attachments.write(tmp_path, [], tmp_path)
    assert json.loads(path.read_text()) == {"imports": {}, "scopes": {}}


def test_the_project_s_own_map_stays(tmp_path: Path) -> None:
    own = {
        "imports": {"a": "npm:a@1", "./b/": "./c/", "#x": "../x.ts", "wrong": 1},
        "scopes": {"./vendor/": {"a": "./a.ts"}, "https://example.org/": 1},
    }
    root = project(tmp_path / "p", **{"deno.jsonc": json.dumps(own)})
    out = project(tmp_path / "out", x="")
    path = attachments.write(root, [attachments.Attachment("file:///n.txt", "export default 1;")], out)
    base = root.as_uri()
    assert json.loads(path.read_text()) == {
        "imports": {
            "a": "npm:a@1",
            f"{base}/b/": f"{base}/c/",
            "#x": f"{tmp_path.as_uri()}/x.ts",
            "file:///n.txt": (out / "attachment0.mjs").as_uri(),
        },
        "scopes": {f"{base}/vendor/": {"a": f"{base}/a.ts"}, "https://example.org/": {}},
    }
    assert (out / "attachment0.mjs").read_text() == "export default 1;"
    (root / "deno.jsonc").write_text('{"imports": []}')
    assert json.loads(attachments.write(root, [], out).read_text()) == {"imports": {}, "scopes": {}}
