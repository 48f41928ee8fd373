from controlplane.model import NodeReport, PlacementState, PlacementStatus


def test_a_report_finds_the_status_of_a_function() -> None:
    status = PlacementStatus("hello", 1, PlacementState.ACTIVE, 1)
    report = NodeReport("tokyo-1", "i", 1, (PlacementStatus("other", 1, PlacementState.PENDING), status))
    assert report.placement("hello") == status
    assert report.placement("nobody") is None


def test_a_node_that_states_a_limit_has_a_load() -> None:
    assert NodeReport("a", "i", 1, load_1m=3.0, cpus=4, load_limit=1.5).load == 0.5
    assert NodeReport("a", "i", 1, load_1m=3.0, cpus=4).load is None
    assert NodeReport("a", "i", 1, load_1m=3.0, load_limit=1.5).load is None
