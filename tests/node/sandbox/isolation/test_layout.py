import json

from hypothesis import given
from hypothesis import strategies as st

from node.sandbox.isolation import layout
from node.sandbox.isolation.layout import Bind, Limits, Paths, Plan, binds, decode, encode, own_uid

texts = st.text(max_size=20)
tuples = st.lists(texts, max_size=3).map(tuple)
plans = st.builds(
    Plan,
    argv=tuples,
    env=st.dictionaries(texts, texts, max_size=3),
    root=texts,
    binds=st.lists(st.builds(Bind, texts, texts, st.booleans()), max_size=3).map(tuple),
    cache=texts,
    uid=st.none() | st.integers(0, 2**31),
    limits=st.builds(Limits, st.integers(), st.integers(), st.integers()),
    seccomp=st.booleans(),
    paths=st.builds(Paths, tuples, tuples, tuples, tuples),
    held=st.booleans(),
)


@given(plans)
def test_a_plan_travels_unchanged(plan: Plan) -> None:
    assert decode(encode(plan)) == plan
    assert plan.isolated == (plan.root != "")


@given(tuples)
def test_a_word_says_how_long_it_is(argv: tuple[str, ...]) -> None:
    word = layout.word(argv)
    assert int.from_bytes(word[: layout.WORD_HEAD_BYTES], "big") == len(word) - layout.WORD_HEAD_BYTES
    assert json.loads(word[layout.WORD_HEAD_BYTES :]) == list(argv)


@given(st.integers(0, 2**32), st.integers(0, 998), st.integers(0, 998))
def test_users_of_one_node_are_its_own_and_no_systems(node: int, one: int, other: int) -> None:
    assert (own_uid(node, one) == own_uid(node, other)) == (one == other)
    assert 0x70000000 <= own_uid(node, one) < 2**31


def test_a_sandbox_sees_what_it_needs_and_may_write_to_its_own_sockets_folder_alone() -> None:
    found = binds(
        engine="/x/deno", libraries={"/lib/a.so": "/usr/lib/a.so"}, guest="/x/guest", inbound="/r/1", services="/r/s"
    )
    targets = {bind.target: bind.source for bind in found}
    assert targets.keys() - {"/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"} == {
        layout.ENGINE,
        "/lib/a.so",
        layout.GUEST,
        layout.INBOUND,
        layout.SERVICES,
    }
    assert targets["/lib/a.so"] == "/usr/lib/a.so"
    assert [bind.target for bind in found if bind.writable and not bind.target.startswith("/dev/")] == [layout.INBOUND]
