from controlplane.api.routers import Router, Routers
from controlplane.model import Verdict, Witness


def router(name: str, verdict: Verdict = Verdict.UP) -> Router:
    return Router(name, "dns", "http", 1, {"tokyo-1": Witness(name, "tokyo-1", verdict, "", 0.0)})


def test_routers_are_listed_by_id_with_their_verdicts() -> None:
    routers = Routers()
    routers.add(router("b"))
    routers.add(router("a", Verdict.DOWN))
    assert [found.id for found in routers.all()] == ["a", "b"]
    assert [witness.verdict for witness in routers.witnesses("tokyo-1")] == [Verdict.DOWN, Verdict.UP]
    assert routers.witnesses("nobody") == []
    assert router("a").health() == {"tokyo-1": Verdict.UP}


def test_a_stream_that_was_replaced_does_not_take_the_new_one_with_it() -> None:
    routers, old, new = Routers(), router("a"), router("a")
    routers.add(old)
    routers.add(new)
    routers.remove(old)
    assert routers.get("a") is new
    routers.remove(new)
    assert routers.get("a") is None
