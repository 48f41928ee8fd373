from dataclasses import replace

import pytest

from controlplane.model import Function
from controlplane.store import claims, keys
from controlplane.store.client import Delete, Put, Store
from controlplane.store.errors import CodecError, Conflict
from nearhop.spec import PathRoute

ONE = Function("one", ("one.example.org", "a.example.net"), 0.0, "r", routes=(PathRoute("b.example.net", "/shop"),))
TWO = Function("two", ("two.example.org",), 0.0, "r")


async def take(store: Store, before: Function | None, after: Function) -> None:
    compares, writes = await claims.changes(store, before, after)
    await store.commit(compares, writes)


async def test_a_claim_is_one_functions_until_it_is_given_up(store: Store) -> None:
    await take(store, None, ONE)
    await take(store, ONE, ONE)  # changes nothing
    for wanted in (
        replace(TWO, hostnames=("two.example.org", "a.example.net")),
        replace(TWO, routes=(PathRoute("a.example.net", "/"),)),
        replace(TWO, routes=(PathRoute("b.example.net", "/shop"),)),
    ):
        with pytest.raises(claims.Claimed, match=r"belongs to the function 'one'"):
            await claims.changes(store, None, wanted)
    other = replace(TWO, routes=(PathRoute("b.example.net", "/shop/sale"), PathRoute("a.example.net", "/shop")))
    await take(store, TWO, other)
    await take(store, ONE, replace(ONE, hostnames=("one.example.org",), routes=()))
    await take(store, other, replace(other, hostnames=("two.example.org", "a.example.net")))


async def test_of_two_that_see_a_free_name_one_gets_it(store: Store) -> None:
    mine = await claims.changes(store, None, ONE)
    theirs = await claims.changes(store, None, replace(ONE, name="two"))
    await store.commit(*mine)
    with pytest.raises(Conflict):
        await store.commit(*theirs)


async def test_all_claims_of_a_function_are_known(store: Store) -> None:
    await take(store, None, ONE)
    assert claims.all_of(ONE) == [
        Delete(keys.claim("a.example.net", "/")),
        Delete(keys.claim("b.example.net", "/shop")),
    ]
    await store.commit([], claims.all_of(ONE))
    assert (await store.list("/nearhop/claims/")).items == ()


@pytest.mark.parametrize(
    "value", [b"", b"[]", b'{"schema":"claim/2","record":{}}', b'{"schema":"claim/1","record":{}}']
)
async def test_what_is_no_claim_is_not_read_as_one(store: Store, value: bytes) -> None:
    await store.commit([], [Put(keys.claim("a.example.net", "/"), value)])
    with pytest.raises(CodecError):
        await claims.changes(store, None, ONE)
