from controlplane.model import NodeReport, PlacementState, PlacementStatus


def test_a_report_finds_the_status_of_a_function() -> None:
    status = PlacementStatus("hello", 1, PlacementState.ACTIVE, 1)
    report = NodeReport("tokyo-1", "i", 1, (PlacementStatus("other", 1, PlacementState.PENDING), status))
    assert report.placement("hello") == status
    assert report.placement("nobody") is None
