import pytest

from controlplane.store import keys
from controlplane.store.client import Put, Store
from controlplane.store.errors import CodecError, Conflict
from controlplane.store.requests import KEPT_S, Answer, Requests, fingerprint


async def test_an_answer_is_found_again_with_its_revision(store: Store) -> None:
    requests = Requests(store, monotonic=lambda: 0.0)
    answer = Answer(fingerprint("Deploy", b"args"), b"\x00payload")
    assert await requests.find("r1") is None
    compare, put = await requests.writing("r1", answer)
    revision = await store.commit([compare], [put])
    assert await requests.find("r1") == (answer, revision)
    with pytest.raises(Conflict):
        await store.commit([compare], [put])


async def test_answers_of_an_hour_share_a_lease(store: Store) -> None:
    now = [0.0]
    requests = Requests(store, monotonic=lambda: now[0])
    leases = []
    for now[0] in (0.0, KEPT_S - 1.0, KEPT_S + 1.0):
        _, put = await requests.writing("r", Answer("f", b""))
        leases.append(put.lease)
    assert leases[0] == leases[1] != leases[2]
    requests.forget_lease()
    assert (await requests.writing("r", Answer("f", b"")))[1].lease != leases[2]


@pytest.mark.parametrize(
    "value", [b"", b"[]", b"{}", b'{"schema":"answer/2"}', b'{"schema":"answer/1","fingerprint":"","payload":"x"}']
)
async def test_what_is_no_answer_is_refused(store: Store, value: bytes) -> None:
    await store.commit([], [Put(keys.request("r"), value)])
    with pytest.raises(CodecError):
        await Requests(store, monotonic=lambda: 0.0).find("r")


def test_a_fingerprint_tells_method_and_arguments_apart() -> None:
    assert fingerprint("a", b"b") == fingerprint("a", b"b")
    assert len({fingerprint("a", b"b"), fingerprint("ab", b""), fingerprint("b", b"a")}) == 3
