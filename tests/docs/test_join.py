"""The configurations that docs/join.md shows are ones that the parts take."""

import re
import tomllib
from pathlib import Path

import pytest

from controlplane.config import Config
from controlplane.router.config import RouterConfig
from controlplane.router.config import check as check_router
from nearhop import config
from node.config import NodeConfig
from node.config import check as check_node

BLOCKS = re.findall(r"^```toml\n(.*?)^```", (Path(__file__).parents[2] / "docs" / "join.md").read_text(), re.M | re.S)


def test_there_is_one_for_each_role() -> None:
    assert len(BLOCKS) == 3


@pytest.mark.parametrize("text", BLOCKS, ids=["node", "router", "controlplane"])
def test_a_shown_configuration_is_taken(text: str) -> None:
    raw = tomllib.loads(text)
    if "etcd" in raw:
        config.parse(raw, Config)
    elif "dns_listen" in raw:
        assert check_router(config.parse(raw, RouterConfig)) == []
    else:
        assert check_node(config.parse(raw, NodeConfig)) == []
