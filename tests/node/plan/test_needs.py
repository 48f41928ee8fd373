from nearhop.spec import Assets, Dialect, Limits, Manifest, PathRoute
from node.plan.needs import Need, claims, is_whole, needs, pack_of
from node.plan.records import Observed, Placement, Version

PROGRAM = Version(1, "a" * 64, 10, Dialect.WORKERS)
PACK = Assets("b" * 64, 20)
BOTH = Version(1, "a" * 64, 10, Dialect.WORKERS, Manifest(assets=PACK))
FILES = Version(1, "b" * 64, 20, Dialect.STATIC)


def test_a_version_is_a_module_a_pack_or_both() -> None:
    assert list(needs(PROGRAM)) == [Need("a" * 64, 10)]
    assert list(needs(BOTH)) == [Need("a" * 64, 10), Need("b" * 64, 20, pack=True)]
    assert list(needs(FILES)) == [Need("b" * 64, 20, pack=True)]
    assert pack_of(FILES) == PACK


def test_it_is_whole_when_all_of_it_is_here() -> None:
    module, pack = frozenset(["a" * 64]), frozenset(["b" * 64])
    assert is_whole(PROGRAM, Observed(bundles=module))
    assert not is_whole(BOTH, Observed(bundles=module | pack))
    assert is_whole(BOTH, Observed(bundles=module, packs=pack))
    assert not is_whole(FILES, Observed(bundles=pack))


def test_a_function_claims_hostnames_and_paths() -> None:
    placement = Placement(
        "a", 1, ("a.example.org",), Limits(), PROGRAM, routes=(PathRoute("www.example.org", "/shop"),)
    )
    assert claims(placement) == ("a.example.org", "www.example.org/shop")
