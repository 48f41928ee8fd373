"""What the words of `nearhop up` mean."""

from pathlib import Path
from typing import Any

import pytest

from deploy.local import ports
from deploy.local.settings import Settings


def settings(**changes: Any) -> Settings:
    words = {
        "state_dir": Path("/s"),
        "regions": "tokyo,london",
        "base_port": 7400,
        "node_network": "127.77.0",
        "geoip": None,
    }
    return Settings.of(**(words | changes))


def test_each_node_has_its_own_address_and_all_one_port() -> None:
    made = settings(regions="tokyo:2, london")
    assert [(node.id, node.region.name, made.ingress(node)) for node in made.nodes] == [
        ("tokyo-1", "tokyo", "127.77.0.1:7480"),
        ("tokyo-2", "tokyo", "127.77.0.2:7480"),
        ("london-1", "london", "127.77.0.3:7480"),
    ]


def test_one_number_moves_every_port() -> None:
    ours = {(listener.address, listener.port, listener.udp) for listener in ports.wanted(settings())}
    theirs = {(listener.address, listener.port, listener.udp) for listener in ports.wanted(settings(base_port=9400))}
    assert not ours & theirs
    assert len(ours) == len(theirs) == 13


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"regions": "atlantis"}, "'atlantis' is not a region"),
        ({"regions": ""}, "'' is not a region"),
        ({"regions": "tokyo,tokyo:2"}, "named twice"),
        ({"regions": "tokyo:0"}, "asks for no node"),
        ({"regions": "tokyo:65"}, "too many"),
        ({"node_network": "192.0.2"}, "loopback network"),
        ({"node_network": "127.0.0.1"}, "loopback network"),
        ({"geoip": Path("/nope.mmdb")}, "is not a file"),
        ({"base_port": 65500}, "no room"),
    ],
)
def test_words_without_a_meaning_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        settings(**changes)
