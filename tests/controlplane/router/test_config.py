from pathlib import Path

import pytest

from controlplane.router.config import Endpoint, load
from nearhop.errors import InvalidInput

GOOD = """
id = "r1"
control_planes = ["127.0.0.1:7400", "cp.example.org:7400"]
dns_listen = ["127.0.0.1:7453", "[::1]:7453"]
http_listen = "127.0.0.1:7454"
zone = "nearhop.test"
state_dir = "/var/lib/nearhop"
"""


def write(path: Path, text: str) -> Path:
    file = path / "router.toml"
    file.write_text(text)
    return file


def test_a_good_file_is_read(tmp_path: Path) -> None:
    config = load(write(tmp_path, GOOD + "[probe]\ntimeout_s = 0.2\n"))
    assert config.dns_endpoints() == (Endpoint("127.0.0.1", 7453), Endpoint("::1", 7453))
    assert [str(endpoint) for endpoint in config.dns_endpoints()] == ["127.0.0.1:7453", "[::1]:7453"]
    assert (config.probe.timeout_s, config.probe.interval_s, config.geoip_database) == (0.2, 0.5, "")


@pytest.mark.parametrize(("line", "field"), [
    ('id = "R 1"', "id"), ('zone = "a..b"', "zone"), (f'zone = "{".".join(["x" * 60] * 3)}"', "zone"), ("dns_listen = []", "dns_listen"),
    ("control_planes = []", "control_planes"), ('dns_listen = ["localhost:53"]', "dns_listen"), ('dns_listen = ["::1:53"]', "dns_listen"),
    ('http_listen = "127.0.0.1"', "http_listen"), ('http_listen = "127.0.0.1:65536"', "http_listen"),
    ('http_listen = "127.0.0.1:x"', "http_listen"), ('control_planes = [":7400"]', "control_planes"), ('log_level = "loud"', "log_level"),
    ("probe.interval_s = 0", "probe.interval_s"), ("probe.timeout_s = 61", "probe.timeout_s"), ("probe.failures_down = 0", "probe.failures_down"),
    ("probe.successes_up = 101", "probe.successes_up"), ("zoen = 1", "zoen"),
    ('more_zones = ["a..b"]', "more_zones"), ('more_zones = ["nearhop.test"]', "more_zones"), (f'nsid = "{"x" * 129}"', "nsid"),
    ("udp_size_without_cookie_bytes = 511", "udp_size_without_cookie_bytes"), ("rate_limit.replies_per_s = -1", "rate_limit.replies_per_s"),
    ("rate_limit.slip = 101", "rate_limit.slip"), ("tcp.idle_s = 0", "tcp.idle_s"), ("tcp.connections = 0", "tcp.connections"),
    ("tcp.connections_per_client = 0", "tcp.connections_per_client"), ("tcp.unsent_bytes = 1", "tcp.unsent_bytes"),
    ("share_port = true", "share_port"),
    ("https.port = 0", "https.port"), ('https.alpn = [""]', "https.alpn"), ('doh.listen = "localhost:443"', "doh.listen"),
    ('doh = { listen = "127.0.0.1:443", key = "k" }', "doh"), ("probe.interval = 1", "probe.interval"),
])  # fmt: skip
def test_a_wrong_value_is_named(tmp_path: Path, line: str, field: str) -> None:
    key = line.partition(" ")[0]
    kept = "\n".join(good for good in GOOD.splitlines() if not good.startswith(f"{key} "))
    with pytest.raises(InvalidInput) as caught:
        load(write(tmp_path, f"{kept}\n{line}\n"))
    assert [violation.field for violation in caught.value.violations] == [field]


def test_more_zones_and_doh_are_read(tmp_path: Path) -> None:
    config = load(write(tmp_path, GOOD + 'more_zones = ["shop.example"]\ndoh.listen = "127.0.0.1:7455"\n'))
    assert config.zones() == ("nearhop.test", "shop.example")
    assert config.doh is not None
    assert config.doh.endpoint() == Endpoint("127.0.0.1", 7455)


def test_all_faults_are_told_together(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        load(write(tmp_path, GOOD.replace('"r1"', '"R"').replace('"nearhop.test"', '""')))
    assert {violation.field for violation in caught.value.violations} == {"id", "zone"}


def test_redirects_are_checked(tmp_path: Path) -> None:
    good = load(
        write(
            tmp_path, GOOD + '[redirect]\nlocation = "https://{node}.example.org"\ntrusted_proxies = ["10.0.0.0/8"]\n'
        )
    )
    assert good.redirect.trusted_proxies == ("10.0.0.0/8",)
    with pytest.raises(InvalidInput) as caught:
        load(write(tmp_path, GOOD + '[redirect]\nlocation = "{x}"\ntrusted_proxies = ["10.0.0.1/8"]\n'))
    assert [violation.field for violation in caught.value.violations] == [
        "redirect.location",
        "redirect.trusted_proxies",
    ]
