import pytest

from controlplane.router.rates import RateLimit


def judge(rates: RateLimit, peer: str, times: int) -> list[str]:
    return [rates.judge(peer) for _ in range(times)]


def test_a_network_gets_its_share_and_then_every_other_slips() -> None:
    rates = RateLimit(3, 2)
    assert judge(rates, "192.0.2.1", 3) == ["answer"] * 3
    assert judge(rates, "192.0.2.200", 4) == ["drop", "slip", "drop", "slip"]
    assert judge(rates, "192.0.3.1", 1) == ["answer"]


def test_an_ipv6_network_has_56_bits() -> None:
    rates = RateLimit(1, 1)
    assert judge(rates, "2001:db8:0:1::1", 1) == ["answer"]
    assert judge(rates, "2001:db8:0:ff::1%eth0", 1) == ["slip"]
    assert judge(rates, "2001:db8:0:100::1", 1) == ["answer"]


def test_a_new_second_is_a_new_share() -> None:
    rates = RateLimit(1, 0)
    rates.advance(10.0)
    assert judge(rates, "192.0.2.1", 2) == ["answer", "drop"]
    rates.advance(10.9)
    assert judge(rates, "192.0.2.1", 1) == ["drop"]
    rates.advance(11.0)
    assert judge(rates, "192.0.2.1", 1) == ["answer"]


@pytest.mark.parametrize("slip", [0, 2])
def test_no_limit_is_none(slip: int) -> None:
    assert set(judge(RateLimit(0, slip), "192.0.2.1", 5000)) == {"answer"}
