"""The guest's sources: typed, none of them so long that nobody reads it, and what runs is made of them."""

import hashlib
import subprocess
from pathlib import Path

from nearhop import engines
from node.sandbox.command import GUEST

FOLDER = GUEST.parent
SOURCES = sorted(path for path in FOLDER.rglob("*.ts") if not path.name.endswith(".d.ts"))


def test_the_guest_is_typed(tmp_path: Path) -> None:
    deno = engines.find("deno").path
    env = {"DENO_DIR": str(tmp_path), "DENO_NO_UPDATE_CHECK": "1", "NO_COLOR": "1"}
    argv = [deno, "check", "--no-config", "--no-remote", "--no-npm", *SOURCES]
    done = subprocess.run(argv, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr


def test_every_part_is_of_a_size_to_read() -> None:
    lengths = {str(path.relative_to(FOLDER)): len(path.read_text().splitlines()) for path in SOURCES}
    assert len(lengths) > 20
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_what_runs_is_made_of_these_sources() -> None:
    made_of = sorted(
        [*SOURCES, FOLDER / "vendor" / "htmlrewriter.js"], key=lambda path: bytes(path.relative_to(FOLDER))
    )
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in made_of)).hexdigest()
    assert (GUEST / "sources.sha256").read_text().strip() == digest, "run 'make guest'"
