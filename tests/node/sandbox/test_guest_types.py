"""The guest's sources: typed, and none of them so long that nobody reads it."""

import subprocess
from pathlib import Path

from nearhop import engines
from node.sandbox.command import GUEST

SOURCES = sorted(path for path in GUEST.rglob("*.ts") if not path.name.endswith(".d.ts"))


def test_the_guest_is_typed(tmp_path: Path) -> None:
    deno = engines.find("deno").path
    env = {"DENO_DIR": str(tmp_path), "DENO_NO_UPDATE_CHECK": "1", "NO_COLOR": "1"}
    argv = [deno, "check", "--no-config", "--no-remote", "--no-npm", *SOURCES]
    done = subprocess.run(argv, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr


def test_every_part_is_of_a_size_to_read() -> None:
    lengths = {str(path.relative_to(GUEST)): len(path.read_text().splitlines()) for path in SOURCES}
    assert len(lengths) > 20
    assert {name: length for name, length in lengths.items() if length > 400} == {}
