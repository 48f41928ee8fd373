"""API tokens: making, listing, revoking."""

import math

import pytest

from controlplane.identity import tokens
from controlplane.identity.api_tokens import ApiTokens
from controlplane.identity.errors import AlreadyExists, NotFound
from controlplane.identity.principal import ApiRole
from controlplane.identity.records import TOKENS
from controlplane.store.client import Store
from nearhop.errors import InvalidInput
from tests.controlplane.identity.conftest import Clock


async def test_a_token_is_kept_without_its_secret(api_tokens: ApiTokens, store: Store) -> None:
    record, text = await api_tokens.create("one", "ci", ApiRole.DEPLOYER, functions=["b", "a", "a"], ttl_s=60)
    assert (record.functions, record.expires_at) == (("a", "b"), record.created_at + 60)
    presented = tokens.parse_api(text)
    assert presented is not None
    assert tokens.matches(presented, record.digest)
    (item,) = (await store.list(TOKENS)).items
    assert presented.secret.encode() not in item.value
    assert await api_tokens.list() == [record]


async def test_tokens_are_listed_oldest_first(api_tokens: ApiTokens, clock: Clock) -> None:
    for name in ("zoe", "ann", "kim"):
        await api_tokens.create(name, name, ApiRole.VIEWER)
        clock.now += 1
    assert [record.name for record in await api_tokens.list()] == ["zoe", "ann", "kim"]


async def test_a_repeated_request_makes_no_second_token(api_tokens: ApiTokens) -> None:
    await api_tokens.create("one", "ops", ApiRole.ADMIN)
    with pytest.raises(AlreadyExists, match="shown only then"):
        await api_tokens.create("one", "ops", ApiRole.ADMIN)


async def test_a_revoked_token_is_gone(api_tokens: ApiTokens) -> None:
    record, _ = await api_tokens.create("one", "ops", ApiRole.ADMIN)
    await api_tokens.revoke(record.id)
    assert await api_tokens.list() == []
    with pytest.raises(NotFound):
        await api_tokens.revoke(record.id)


@pytest.mark.parametrize("token_id", ["", "../authority", "x" * 1000, "\n"])
async def test_an_odd_id_revokes_nothing(api_tokens: ApiTokens, token_id: str) -> None:
    record, _ = await api_tokens.create("one", "ops", ApiRole.ADMIN)
    with pytest.raises(NotFound):
        await api_tokens.revoke(token_id)
    assert await api_tokens.list() == [record]


@pytest.mark.parametrize(
    ("name", "role", "functions", "ttl_s", "field"),
    [
        ("", ApiRole.ADMIN, [], 0, "name"),
        ("a/../b", ApiRole.ADMIN, [], 0, "name"),
        ("\u0430dmin", ApiRole.ADMIN, [], 0, "name"),
        ("ci", ApiRole.DEPLOYER, [], 0, "functions"),
        ("ci", ApiRole.DEPLOYER, ["ok", "Not"], 0, r"functions\[1\]"),
        ("ci", ApiRole.DEPLOYER, ["x"] * 1001, 0, "1001 entries"),
        ("ci", ApiRole.VIEWER, ["hello"], 0, "functions"),
        ("ci", ApiRole.ADMIN, [], -1, "ttl_s"),
        ("ci", ApiRole.ADMIN, [], math.nan, "ttl_s"),
        ("ci", ApiRole.ADMIN, [], math.inf, "ttl_s"),
    ],
)
async def test_bad_arguments_are_named(
    api_tokens: ApiTokens, name: str, role: ApiRole, functions: list[str], ttl_s: float, field: str
) -> None:
    with pytest.raises(InvalidInput, match=field):
        await api_tokens.create("one", name, role, functions=functions, ttl_s=ttl_s)
    assert await api_tokens.list() == []
