from pathlib import Path

import pytest

from controlplane.config import Config
from nearhop import config
from nearhop.errors import InvalidInput

IDENTITY = {"key_file": "/keys/kek", "listen": "127.0.0.1:7403"}
MINIMAL = {"etcd": ["127.0.0.1:7401"], "zone": "nearhop.test", "identity": IDENTITY}


def fields(raw: dict[str, object]) -> set[str]:
    with pytest.raises(InvalidInput) as caught:
        config.parse(raw, Config)
    return {violation.field for violation in caught.value.violations}


def test_the_documented_keys_are_read(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(
        'listen = "127.0.0.1:7400"\netcd = ["127.0.0.1:7401"]\nzone = "nearhop.test"\ngeoip_database = ""\nlog_level = "info"\n'
        'log_format = "text"\n[limits]\nheartbeat_interval_s = 2.0\nlease_ttl_s = 6.0\nprogress_deadline_s = 60.0\n'
        '[identity]\nkey_file = "/keys/kek"\nlisten = "127.0.0.1:7403"\n'
    )
    assert config.load(path, Config) == config.parse(MINIMAL, Config)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"listen": "7400"}, "listen"),
        ({"listen": "h:99999"}, "listen"),
        ({"etcd": []}, "etcd"),
        ({"etcd": ["x"]}, "etcd"),
        ({"zone": "a_b", "identity": {**IDENTITY, "trust_domain": "nearhop.test"}}, "zone"),
        ({"limits": {"lease_ttl_s": 3.0, "heartbeat_interval_s": 2.0}}, "limits.lease_ttl_s"),
        ({"identity": None}, "identity"),
        ({"identity": None, "insecure": True, "listen": "192.0.2.1:7400"}, "insecure"),
        ({"identity": None, "insecure": True, "listen": "api.example.org:7400"}, "insecure"),
        ({"insecure": True}, "insecure"),
        ({"identity": {**IDENTITY, "listen": "x"}}, "identity.listen"),
        ({"identity": {**IDENTITY, "id": "A/B"}}, "identity.id"),
        ({"identity": {**IDENTITY, "trust_domain": "a b"}}, "identity.trust_domain"),
        ({"identity": {**IDENTITY, "keyfile": "x"}}, "identity.keyfile"),
    ],
)
def test_a_wrong_value_is_named(wrong: dict[str, object], field: str) -> None:
    assert fields({**MINIMAL, **wrong}) == {field}


def test_wrong_types_and_unknown_keys_are_named_together() -> None:
    raw = {**MINIMAL, "colour": 1, "log_level": "loud", "limits": {"lease_ttl_s": -1, "lease": 1}}
    assert fields(raw) == {"colour", "log_level", "limits.lease_ttl_s", "limits.lease"}


def test_without_identities_only_loopback_is_served() -> None:
    bare = {"etcd": ["127.0.0.1:7401"], "zone": "nearhop.test", "insecure": True}
    for listen in ("127.0.0.1:7400", "[::1]:7400", "localhost:7400"):
        assert config.parse({**bare, "listen": listen}, Config).identity is None


def test_the_trust_domain_is_the_zone_unless_it_is_said() -> None:
    assert config.parse(MINIMAL, Config).trust_domain == "nearhop.test"
    said = {**MINIMAL, "identity": {**IDENTITY, "trust_domain": "fleet.example.org"}}
    assert config.parse(said, Config).trust_domain == "fleet.example.org"
