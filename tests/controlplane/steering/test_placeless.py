import ipaddress

import pytest

from controlplane.steering import placeless_prefix


@pytest.mark.parametrize(
    ("address", "prefix"),
    [
        ("10.1.2.3", 8),
        ("100.64.0.1", 10),
        ("192.168.1.1", 16),
        ("8.8.8.8", None),
        ("fd00::1", 7),
        ("2001:db8::1", None),
        ("192.0.0.1", None),
    ],
)
def test_the_block_of_an_address_that_has_no_place(address: str, prefix: int | None) -> None:
    assert placeless_prefix(ipaddress.ip_address(address)) == prefix
