"""The join tokens of the compose fleet: of use to their parts, and made for those alone that need one."""

from pathlib import Path

import pytest

from controlplane.client.failure import Failure
from deploy.compose import tokens
from nearhop import enroll
from nearhop.spiffe import Part, Role
from tests.harness.cluster import Cluster

PART = Part(Role.NODE, "tokyo-2", "tokyo")


async def test_without_a_control_plane_it_says_so_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_PATIENCE_S", 0.0)
    with pytest.raises(Failure, match=r"ca\.pem"):
        await tokens.write(tmp_path, tmp_path / "bootstrap", ["127.0.0.1:9"], [PART])


@pytest.mark.acceptance
async def test_a_part_joins_with_its_token_and_gets_no_other(shared_cluster: Cluster, tmp_path: Path) -> None:
    async def run() -> None:
        await tokens.write(tmp_path, shared_cluster.keys, ["127.0.0.1:9", shared_cluster.endpoint], [PART])

    await run()
    token = tmp_path / PART.id / tokens.JOIN_FILE
    first = token.read_text()
    await enroll.join(tmp_path / PART.id / "identity", PART, token=first, endpoints=[shared_cluster.endpoint])
    await run()
    assert token.read_text() == first

    (tmp_path / PART.id / "identity" / "ca.pem").write_text("another fleet's")
    await run()
    assert token.read_text() != first
