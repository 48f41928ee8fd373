"""What the fleet's start makes: written once, for those alone who need it, and of use to the parts."""

import stat
from pathlib import Path

import pytest

from controlplane.cli.failure import Failure
from controlplane.identity import seal
from deploy.compose import provision
from nearhop import enroll
from nearhop.spiffe import Part, Role
from tests.harness.cluster import Cluster

MEMBERS = ["192.0.2.11", "192.0.2.12"]
PART = Part(Role.NODE, "tokyo-2", "tokyo")


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    for name in (provision.MEMBERS, provision.CONTROL_PLANES, PART.id):
        (tmp_path / name).mkdir()
    return tmp_path


def contents(volumes: Path) -> dict[str, bytes]:
    return {str(path.relative_to(volumes)): path.read_bytes() for path in volumes.rglob("*") if path.is_file()}


def test_members_and_control_planes_get_their_own_keys_and_not_each_others(volumes: Path) -> None:
    provision.secrets(volumes, MEMBERS)
    assert set(contents(volumes)) == {
        "etcd-tls/etcd-ca.pem",
        "etcd-tls/etcd-member.pem",
        "etcd-tls/etcd-member.key",
        "keys/etcd-ca.pem",
        "keys/etcd-client.pem",
        "keys/etcd-client.key",
        "keys/key-encryption.key",
    }
    seal.read_key(volumes / "keys" / "key-encryption.key")
    for path in volumes.rglob("*"):
        assert path.is_dir() or stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_what_is_there_stays(volumes: Path) -> None:
    provision.secrets(volumes, MEMBERS)
    before = contents(volumes)
    provision.secrets(volumes, MEMBERS)
    assert contents(volumes) == before


def test_half_a_set_of_certificates_is_replaced_whole(volumes: Path) -> None:
    provision.secrets(volumes, MEMBERS)
    before = contents(volumes)
    (volumes / "keys" / "etcd-client.pem").unlink()
    provision.secrets(volumes, MEMBERS)
    assert changed(before, contents(volumes)) == set(before) - {"keys/key-encryption.key"}


def test_renewing_replaces_the_certificates_and_never_the_key_that_seals(volumes: Path) -> None:
    provision.secrets(volumes, MEMBERS)
    before = contents(volumes)
    provision.secrets(volumes, MEMBERS, renew=True)
    assert changed(before, contents(volumes)) == set(before) - {"keys/key-encryption.key"}


async def test_without_a_control_plane_it_says_so_in_time(volumes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provision, "_PATIENCE_S", 0.0)
    with pytest.raises(Failure, match=r"ca\.pem"):
        await provision.tokens(volumes, volumes / "bootstrap", ["127.0.0.1:9"], [PART])


@pytest.mark.acceptance
async def test_a_part_joins_with_its_token_and_gets_no_other(shared_cluster: Cluster, volumes: Path) -> None:
    async def run() -> None:
        await provision.tokens(volumes, shared_cluster.keys, ["127.0.0.1:9", shared_cluster.endpoint], [PART])

    await run()
    token = volumes / PART.id / provision.JOIN_FILE
    first = token.read_text()
    await enroll.join(volumes / PART.id / "identity", PART, token=first, endpoints=[shared_cluster.endpoint])
    await run()
    assert token.read_text() == first

    (volumes / PART.id / "identity" / "ca.pem").write_text("another fleet's")
    await run()
    assert token.read_text() != first


def changed(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    assert set(before) == set(after)
    return {name for name in before if before[name] != after[name]}
