import pytest

from controlplane.api import validate
from controlplane.model import Ingress, Location
from nearhop.errors import InvalidInput
from nearhop.spec import Limits
from nearhop.v1 import common_pb2


def test_a_check_without_violations_passes() -> None:
    check = validate.Check()
    check.request_id("r1")
    check.length("message", "x" * 10, 10)
    check.raise_if_any()


def test_a_check_refuses_with_all_violations() -> None:
    check = validate.Check()
    check.request_id("")
    check.length("message", "x" * 11, 10)
    with pytest.raises(InvalidInput) as caught:
        check.raise_if_any()
    assert [violation.field for violation in caught.value.violations] == ["request_id", "message"]


def test_zero_limits_are_the_defaults() -> None:
    check = validate.Check()
    assert validate.limits(check, common_pb2.Limits()) == Limits()
    assert validate.limits(check, common_pb2.Limits(memory_mib=64, wall_ms=5)) == Limits(memory_mib=64, wall_ms=5)
    check.raise_if_any()


def test_locations_and_ingresses_are_read() -> None:
    check = validate.Check()
    assert validate.location(check, "l", common_pb2.Location(latitude=-90, longitude=180)) == Location(-90, 180)
    message = common_pb2.Ingress(ipv4=["192.0.2.1"], ipv6=["2001:DB8:0::1"], port=443)
    assert validate.ingress(check, "i", message) == Ingress(443, ("192.0.2.1",), ("2001:db8::1",))
    check.raise_if_any()
