from controlplane.model import Verdict
from controlplane.steering import Outlook


def test_it_is_a_mapping_of_verdicts() -> None:
    outlook = Outlook({"a": Verdict.UP, "b": Verdict.DOWN}, doubts={"a": "x"})
    assert dict(outlook) == {"a": Verdict.UP, "b": Verdict.DOWN}
    assert len(outlook) == 2
    assert outlook.get("c") is None
