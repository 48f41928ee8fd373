"""The two steps that prepare a fleet on many hosts."""

import asyncio
import subprocess
import sys
from pathlib import Path

from controlplane import setup
from controlplane.identity import bootstrap, etcd_tls
from controlplane.store.client import Store
from nearhop import enroll
from nearhop.spiffe import Part, Role
from tests.controlplane.api.secured import configured, secured
from tests.harness.etcd import Etcd

NODE = Part(Role.NODE, "tokyo-1", "tokyo")
ROUTER = Part(Role.ROUTER, "r1")


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "controlplane.setup", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_keys_are_made_once(tmp_path: Path) -> None:
    made = run("keys", tmp_path, "--etcd-name", "etcd1", "--etcd-name", "192.0.2.1")
    assert made.returncode == 0, made.stderr
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == {
        setup.KEY_FILE,
        etcd_tls.AUTHORITY,
        *(f"{name}.{kind}" for name in (etcd_tls.MEMBER, etcd_tls.CLIENT) for kind in ("pem", "key")),
    }
    setup.keys(tmp_path, ["other"])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_renewal_replaces_etcds_certificates_and_keeps_the_key_that_seals_the_authority(tmp_path: Path) -> None:
    assert run("keys", tmp_path, "--etcd-name", "etcd1").returncode == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    renewed = run("keys", tmp_path, "--renew", "--etcd-name", "etcd1")
    assert renewed.returncode == 0, renewed.stderr
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] == before[name]} == {setup.KEY_FILE}


async def test_tokens_let_their_parts_in_and_are_made_anew_for_those_outside_only(
    store: Store, shared_etcd: Etcd, tmp_path: Path
) -> None:
    folder, keys = tmp_path / "tokens", tmp_path / "keys"
    keys.mkdir()
    config = configured(shared_etcd.endpoint, keys)
    await setup.tokens(folder, config, [NODE, ROUTER])
    admin = (folder / bootstrap.ADMIN_FILE).read_text()
    async with secured(shared_etcd.endpoint, keys) as running:
        token = (folder / "tokyo-1.join").read_text().strip()
        await enroll.join(tmp_path / "node", NODE, token=token, endpoints=[running.api])
        (folder / "tokyo-1.join").unlink()
        before = (folder / "r1.join").read_text()
        await setup.tokens(folder, config, [NODE, ROUTER])
    assert not (folder / "tokyo-1.join").exists()
    assert (folder / "r1.join").read_text() != before
    assert (folder / bootstrap.ADMIN_FILE).read_text() == admin


async def test_a_bad_part_is_named(tmp_path: Path) -> None:
    ran = await asyncio.to_thread(run, "tokens", tmp_path, "--config", tmp_path / "none.toml", "--part", "node/x")
    assert ran.returncode == 1
    assert "node/<region>/<id>" in ran.stderr
