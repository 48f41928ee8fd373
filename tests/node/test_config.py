from dataclasses import replace
from pathlib import Path

import pytest

from nearhop.errors import InvalidInput
from node import config

GOOD = """
id = "tokyo-1"
region = "tokyo"
control_planes = ["127.0.0.1:7400"]
listen = ["127.77.0.1:7480", "[::1]:7480"]
port = 7480
state_dir = "/var/lib/nearhop"
"""


def test_reads_a_file_and_its_defaults(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text(GOOD)
    settings = config.load(path)
    assert (settings.slots, settings.cache, settings.trusted_proxies) == (64, Path("/var/lib/nearhop"), [])
    assert replace(settings, cache_dir="/var/cache").cache == Path("/var/cache")


def test_reports_everything_that_is_wrong_at_once(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    bad = GOOD.replace('"tokyo-1"', '"Tokyo 1"').replace("7480\n", "0\n").replace('"[::1]:7480"', '"nowhere", "::1:80"')
    path.write_text(bad + 'latitude = 91.0\nadvertise_ipv4 = ["::1", "x"]\ntrusted_proxies = ["10.0.0.1/8"]\n')
    with pytest.raises(InvalidInput) as refused:
        config.load(path)
    fields = [violation.field for violation in refused.value.violations]
    assert fields == [
        "id",
        "latitude",
        "port",
        "listen",
        "listen",
        "trusted_proxies",
        "advertise_ipv4",
        "advertise_ipv4",
    ]
    path.write_text(GOOD.replace('["127.77.0.1:7480", "[::1]:7480"]', "[]") + "slotz = 3\n")
    with pytest.raises(InvalidInput, match="slotz"):
        config.load(path)


def test_https_needs_certificates_and_addresses(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text(GOOD + 'tls_listen = ["127.77.0.1"]\nproxy_protocol = ["x"]\nedge_cache_mib = 5000\n')
    with pytest.raises(InvalidInput) as refused:
        config.load(path)
    fields = [violation.field for violation in refused.value.violations]
    assert fields == ["edge_cache_mib", "tls_listen", "tls_certificates", "proxy_protocol"]
    path.write_text(GOOD + "redirect_to_https = true\n")
    with pytest.raises(InvalidInput, match="redirect_to_https"):
        config.load(path)
    path.write_text(
        GOOD + 'tls_listen = ["127.77.0.1:7443"]\ntls_certificates = "/etc/nearhop"\nredirect_to_https = true\n'
    )
    assert config.load(path).tls_listen == ["127.77.0.1:7443"]
