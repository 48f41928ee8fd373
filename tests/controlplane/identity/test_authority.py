"""The authority in the store: made once, shared, and closed to whoever only reads the store."""

import asyncio

import pytest

from controlplane.identity import ca
from controlplane.identity.authority import open_authority
from controlplane.identity.records import AUTHORITY
from controlplane.identity.seal import Seal, SealBroken
from controlplane.store.client import Store
from nearhop.errors import InvalidInput

NOW = ca.utc(1_800_000_000)
DOMAIN = "fleet.example.org"
SEAL = Seal(bytes(32))


async def test_control_planes_that_start_together_share_one_authority(store: Store) -> None:
    opened = await asyncio.gather(*(open_authority(store, SEAL, DOMAIN, NOW) for _ in range(8)))
    assert len({authority.sha256 for authority in opened}) == 1
    assert len({ca.key_pem(authority.key) for authority in opened}) == 1


async def test_the_store_holds_no_key_in_the_open(store: Store) -> None:
    authority = await open_authority(store, SEAL, DOMAIN, NOW)
    item = await store.get(AUTHORITY)
    assert item is not None
    assert b"PRIVATE KEY" not in item.value
    number = authority.key.private_numbers().private_value
    assert f"{number:x}".encode() not in item.value
    assert number.to_bytes(32, "big") not in item.value


async def test_another_key_does_not_open_it(store: Store) -> None:
    await open_authority(store, SEAL, DOMAIN, NOW)
    with pytest.raises(SealBroken, match="key-encryption key"):
        await open_authority(store, Seal(b"\1" * 32), DOMAIN, NOW)


async def test_another_trust_domain_is_told(store: Store) -> None:
    await open_authority(store, SEAL, DOMAIN, NOW)
    with pytest.raises(InvalidInput, match="trust_domain"):
        await open_authority(store, SEAL, "other.example.org", NOW)
