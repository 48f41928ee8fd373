from controlplane.model import RoutingPolicy


def test_a_region_is_allowed_unless_it_is_denied_or_others_are_listed() -> None:
    assert RoutingPolicy().allows("tokyo")
    assert not RoutingPolicy(denied_regions=("tokyo",)).allows("tokyo")
    assert RoutingPolicy(allowed_regions=("tokyo",)).allows("tokyo")
    assert not RoutingPolicy(allowed_regions=("london",)).allows("tokyo")
    assert not RoutingPolicy(allowed_regions=("london",), denied_regions=("london",)).allows("london")
