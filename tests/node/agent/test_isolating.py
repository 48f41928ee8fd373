"""What the configuration demands of isolation, on a machine that gives less."""

from pathlib import Path

import pytest

from nearhop import engines
from node.agent.isolating import NotIsolated, open_launcher
from node.config import NodeConfig
from node.sandbox.isolation.launcher import Launcher, Mode


@pytest.fixture
def _less(monkeypatch: pytest.MonkeyPatch) -> None:
    async def probe(self: Launcher, *, warm: bool) -> str | None:
        return "clone: Operation not permitted" if self._mode.namespaces else None

    monkeypatch.setattr(Launcher, "_probe", probe)


def settings(state: Path, isolation: str) -> NodeConfig:
    return NodeConfig(
        id="n-1", region="tokyo", control_planes=[], listen=["127.0.0.1:1"], port=1, state_dir=state,
        isolation=isolation,  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.usefixtures("_less")
async def test_a_node_goes_on_with_less_and_says_so(tmp_path: Path) -> None:
    launcher = await open_launcher(settings(tmp_path, "auto"), tmp_path / "run", engines.find("deno").path)
    assert launcher.level == "reduced: no namespaces (clone: Operation not permitted)"
    assert launcher.service("egress") == str(tmp_path / "run/services/egress.sock")
    await launcher.close()


@pytest.mark.usefixtures("_less")
async def test_a_node_that_must_be_isolated_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(NotIsolated, match=r'demands isolation = "full".*no namespaces'):
        await open_launcher(settings(tmp_path, "full"), tmp_path / "run", engines.find("deno").path)


def test_what_every_layer_lost_is_told() -> None:
    assert Mode(namespaces=True, own_user=False, seccomp=True).level == "full"
    assert Mode(False, False, False, ("no a", "no b")).level == "reduced: no a; no b"
