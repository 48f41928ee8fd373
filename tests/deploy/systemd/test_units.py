"""The units are ones that systemd takes without a word, and start what there is."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNITS = sorted((Path(__file__).parents[3] / "deploy" / "systemd").glob("*.service"))
NEARHOP = Path(sys.executable).with_name("nearhop")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_finds_nothing_wrong(unit: Path, tmp_path: Path) -> None:
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/opt/nearhop/bin/nearhop", str(NEARHOP)))
    ran = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout + ran.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_what_it_starts_is_a_command(unit: Path) -> None:
    (line,) = [line for line in unit.read_text().splitlines() if line.startswith("ExecStart=")]
    _, role, *rest = line.split()
    assert rest == ["--config", f"/etc/nearhop/{role}.toml"]
    ran = subprocess.run([NEARHOP, role, "--help"], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, "--config" in ran.stdout) == (0, True)
