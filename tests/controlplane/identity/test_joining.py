"""Joining, renewing, revoking, against a real etcd."""

import asyncio
import math

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from controlplane.identity import ca, tokens
from controlplane.identity.errors import AlreadyExists, JoinRefused, NotFound, Revoked
from controlplane.identity.joining import Issued, Joining, revocation
from controlplane.identity.principal import PartCaller
from controlplane.identity.records import JOINS, PartRecord, part_key
from controlplane.store.client import Delete, Store
from nearhop import enroll
from nearhop.errors import InvalidInput
from nearhop.spiffe import Part, Role
from tests.controlplane.identity.conftest import Clock

DOMAIN = "fleet.example.org"
NODE = Part(Role.NODE, "tokyo-1", "tokyo")
ROUTER = Part(Role.ROUTER, "r1")


def csr(part: Part = NODE, key: ec.EllipticCurvePrivateKey | None = None) -> bytes:
    return enroll.signing_request(key or ec.generate_private_key(ec.SECP256R1()), part)


def holder(issued: Issued) -> PartCaller:
    return ca.caller(issued.certificate.public_bytes(Encoding.PEM), DOMAIN)


async def token(joining: Joining, part: Part = NODE, *, request_id: str = "one", replace: bool = False) -> str:
    return (await joining.create_token(request_id, part, replace=replace))[1]


async def test_a_token_gives_one_certificate_of_its_name(joining: Joining, authority: ca.Authority) -> None:
    issued = await joining.join(await token(joining), NODE, csr())
    assert holder(issued).part == NODE
    assert issued.authorities == authority.pem
    (record,) = await joining.list_parts()
    assert (record.part, record.epoch, record.revoked) == (NODE, 1, False)


async def test_a_token_used_again_is_refused(joining: Joining) -> None:
    text = await token(joining)
    await joining.join(text, NODE, csr())
    with pytest.raises(JoinRefused, match="used already, at 2027-01-15"):
        await joining.join(text, NODE, csr())
    assert [record.epoch for record in await joining.list_parts()] == [1]


async def test_of_many_that_use_a_token_at_once_one_wins(joining: Joining) -> None:
    text = await token(joining)
    results = await asyncio.gather(*(joining.join(text, NODE, csr()) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(result, Issued) for result in results) == 1
    assert sum(isinstance(result, JoinRefused) for result in results) == 7
    assert [record.epoch for record in await joining.list_parts()] == [1]


async def test_a_joiner_that_lost_the_answer_may_ask_again(joining: Joining, clock: Clock) -> None:
    text, key = await token(joining), ec.generate_private_key(ec.SECP256R1())
    first = await joining.join(text, NODE, csr(key=key))
    again = await joining.join(text, NODE, csr(key=key))
    assert holder(again) == holder(first)
    clock.now += 601
    with pytest.raises(JoinRefused, match="used already"):
        await joining.join(text, NODE, csr(key=key))


async def test_asking_again_does_not_undo_a_revocation(joining: Joining) -> None:
    text, key = await token(joining), ec.generate_private_key(ec.SECP256R1())
    await joining.join(text, NODE, csr(key=key))
    await joining.revoke(NODE, "stolen")
    with pytest.raises(JoinRefused, match="used already"):
        await joining.join(text, NODE, csr(key=key))


async def test_an_expired_token_is_refused(joining: Joining, clock: Clock) -> None:
    text = await token(joining)
    clock.now += 600
    with pytest.raises(JoinRefused, match="expired at 2027-01-15"):
        await joining.join(text, NODE, csr())


async def test_a_token_is_bound_to_its_name_region_and_role(joining: Joining) -> None:
    text = await token(joining)
    for part in (
        Part(Role.NODE, "tokyo-2", "tokyo"),
        Part(Role.NODE, "tokyo-1", "osaka"),
        Part(Role.ROUTER, "tokyo-1"),
    ):
        with pytest.raises(JoinRefused, match="bound to node tokyo-1 of region tokyo"):
            await joining.join(text, part, csr(part))
    await joining.join(text, NODE, csr())


async def test_a_request_for_another_name_leaves_the_token_usable(joining: Joining) -> None:
    text = await token(joining)
    with pytest.raises(InvalidInput, match="PKCS"):
        await joining.join(text, NODE, b"garbage")
    await joining.join(text, NODE, csr())


async def test_unknown_tokens_are_refused(joining: Joining, authority: ca.Authority) -> None:
    known = await token(joining)
    wrong = tokens.join_token(tokens.id_for("one"), tokens.new_secret(), authority.sha256)
    with pytest.raises(JoinRefused, match="secret is wrong"):
        await joining.join(wrong, NODE, csr())
    with pytest.raises(JoinRefused, match="never made"):
        await joining.join(tokens.join_token(tokens.id_for("two"), "0" * 64, authority.sha256), NODE, csr())
    with pytest.raises(JoinRefused, match="no join token"):
        await joining.join("nhj_x", NODE, csr())
    await joining.revoke_token(tokens.id_for("one"))
    with pytest.raises(JoinRefused, match="never made, revoked"):
        await joining.join(known, NODE, csr())


async def test_two_parts_of_one_name_are_refused_unless_the_token_replaces(joining: Joining) -> None:
    first = await joining.join(await token(joining), NODE, csr())
    with pytest.raises(AlreadyExists, match="node tokyo-1 of region tokyo has joined already"):
        await joining.join(await token(joining, request_id="two"), NODE, csr())
    second = await joining.join(await token(joining, request_id="three", replace=True), NODE, csr())
    assert holder(second).epoch == 2
    with pytest.raises(Revoked, match="another part has joined as node tokyo-1"):
        await joining.renew(holder(first), csr())


async def test_a_name_whose_certificate_has_ended_is_free_again(joining: Joining, clock: Clock) -> None:
    await joining.join(await token(joining), NODE, csr())
    clock.now += 86_401
    issued = await joining.join(await token(joining, request_id="two"), NODE, csr())
    assert holder(issued).epoch == 2


async def test_renewal_keeps_name_and_epoch_and_lasts_longer(joining: Joining, clock: Clock) -> None:
    first = holder(await joining.join(await token(joining), NODE, csr()))
    clock.now += 43_200
    second = holder(await joining.renew(first, csr()))
    assert (second.part, second.epoch, second.not_after) == (NODE, 1, first.not_after + 43_200)
    clock.now += 50_000  # past the first certificate's end
    with pytest.raises(AlreadyExists):
        await joining.join(await token(joining, request_id="two"), NODE, csr())


async def test_a_revoked_part_cannot_renew_and_may_join_anew(joining: Joining) -> None:
    first = holder(await joining.join(await token(joining), NODE, csr()))
    record = await joining.revoke(NODE, "stolen")
    assert (record.epoch, record.revoked, record.reason) == (2, True, "stolen")
    assert await joining.revoke(NODE, "again") == record
    with pytest.raises(Revoked, match="was revoked: stolen"):
        await joining.renew(first, csr())
    second = holder(await joining.join(await token(joining, request_id="two"), NODE, csr()))
    assert second.epoch == 3
    (after,) = await joining.list_parts()
    assert revocation(after, first)
    assert not revocation(after, second)


async def test_a_renewal_and_a_revocation_at_once_end_revoked(joining: Joining) -> None:
    first = holder(await joining.join(await token(joining), NODE, csr()))
    renewals = [joining.renew(first, csr()) for _ in range(4)]
    results = await asyncio.gather(*renewals, joining.revoke(NODE, ""), return_exceptions=True)
    (record,) = await joining.list_parts()
    for result in results:
        if isinstance(result, Issued):
            assert revocation(record, holder(result)), "a certificate has outlived the revocation"


async def test_a_part_that_a_restored_store_does_not_know_may_renew(joining: Joining, store: Store) -> None:
    first = holder(await joining.join(await token(joining), NODE, csr()))
    await store.commit([], [Delete(part_key(NODE))])
    assert holder(await joining.renew(first, csr())).epoch == first.epoch
    assert [record.part for record in await joining.list_parts()] == [NODE]


async def test_what_never_joined_cannot_be_revoked(joining: Joining) -> None:
    with pytest.raises(NotFound, match="router r1"):
        await joining.revoke(ROUTER, "")
    for reason in ("x" * 201, "a\x1b[31m"):
        with pytest.raises(InvalidInput, match="reason"):
            await joining.revoke(ROUTER, reason)


async def test_tokens_are_listed_while_they_can_be_used(joining: Joining, clock: Clock) -> None:
    await token(joining, ROUTER, request_id="router")
    used = await token(joining, request_id="node")
    assert [record.part for record in await joining.list_tokens()] == [NODE, ROUTER]
    await joining.join(used, NODE, csr())
    assert [record.part for record in await joining.list_tokens()] == [ROUTER]
    clock.now += 600
    assert await joining.list_tokens() == []


async def test_the_store_holds_no_secret(joining: Joining, store: Store) -> None:
    presented = tokens.parse_join(await token(joining))
    assert presented is not None
    for item in (await store.list(JOINS)).items:
        assert presented.secret.encode() not in item.value


async def test_a_repeated_request_makes_no_second_token(joining: Joining) -> None:
    await token(joining)
    with pytest.raises(AlreadyExists, match="shown only then"):
        await token(joining)


@pytest.mark.parametrize("ttl_s", [-1.0, 86_401.0, math.nan, math.inf])
async def test_times_to_live_are_bounded(joining: Joining, ttl_s: float) -> None:
    with pytest.raises(InvalidInput, match="ttl_s"):
        await joining.create_token("one", NODE, ttl_s=ttl_s)


async def test_names_and_roles_are_checked(joining: Joining) -> None:
    for part in (Part(Role.NODE, "../x", "tokyo"), Part(Role.ROUTER, "r1", "tokyo"), Part(Role.CONTROL_PLANE, "c1")):
        with pytest.raises(InvalidInput, match="part"):
            await joining.create_token("one", part)


async def test_an_unknown_join_token_cannot_be_revoked(joining: Joining) -> None:
    with pytest.raises(NotFound):
        await joining.revoke_token("0" * 16)


async def test_a_certificate_of_the_present_epoch_holds() -> None:
    record = PartRecord(NODE, 3, 0.0, 0.0)
    assert revocation(record, PartCaller(NODE, 3, 0.0)) == ""
    assert revocation(record, PartCaller(NODE, 4, 0.0)) == "", "the store was restored from an older backup"
