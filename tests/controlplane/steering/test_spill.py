import pytest

from controlplane.steering import spill


def run(shares: dict[str, float], loads: dict[str, float], seconds: float) -> dict[str, float]:
    for _ in range(int(seconds * 2)):
        shares = spill.step(shares, loads, 0.5)
    return shares


def test_a_node_with_room_gives_nothing_away() -> None:
    assert run({}, {"a": 0.99, "b": 0.0}, 60) == {}


def test_the_share_grows_with_the_excess_and_has_a_limit() -> None:
    assert run({}, {"a": 1.1}, 10)["a"] == pytest.approx(0.05)
    assert run({}, {"a": 50}, 10)["a"] == pytest.approx(0.1)
    assert run({}, {"a": 50}, 3600)["a"] == spill.SHARE_MAX


def test_between_room_and_full_it_stays() -> None:
    assert run({"a": 0.4}, {"a": 0.9}, 60) == {"a": 0.4}


def test_networks_are_taken_back_five_times_more_slowly() -> None:
    assert run({"a": 0.4}, {"a": 0.5}, 50)["a"] == pytest.approx(0.3)
    assert run({"a": 0.4}, {"a": 0.5}, 201) == {}


def test_a_node_that_says_nothing_takes_its_networks_back() -> None:
    assert run({"a": 0.05}, {}, 26) == {}
