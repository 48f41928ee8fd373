"""The parts' configurations are what the parts read."""

import tomllib
from pathlib import Path

import pytest

from controlplane.router import config as router_config
from deploy.local import parts
from deploy.local.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.of(
        state_dir=tmp_path / 'my "state" 東京',
        regions="tokyo",
        base_port=7400,
        node_network="127.77.0",
        geoip=None,
    )


def config(part: parts.Part) -> Path:
    return Path(part.argv[part.argv.index("--config") + 1])


def test_the_router_reads_its_configuration(settings: Settings) -> None:
    read = router_config.load(config(parts.router(settings, Path("/city.mmdb"))))
    assert (read.dns_listen, read.http_listen) == (("127.0.0.1:7453",), "127.0.0.1:7454")
    assert read.state_dir == settings.state_dir / "router"
    assert read.geoip_database == "/city.mmdb"


def test_a_node_gets_its_own_address_and_folder(settings: Settings) -> None:
    [node] = settings.nodes
    read = tomllib.loads(config(parts.node(settings, node, None)).read_text())
    assert read["listen"] == ["127.77.0.1:7480"]
    assert read["tls_listen"] == ["127.77.0.1:7443"]
    assert Path(read["tls_certificates"]) == settings.keys / "https"
    assert read["advertise_ipv4"] == ["127.77.0.1"]
    assert read["geoip_database"] == ""
    assert Path(read["state_dir"]) == settings.state_dir / "nodes" / "tokyo-1"


def test_parts_are_never_taken_from_the_folder_where_the_user_stands(settings: Settings) -> None:
    assert parts.control_plane(settings, None).argv[1:4] == ("-P", "-m", "controlplane")
