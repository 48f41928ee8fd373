"""The fleet's authority in the store: made by the first control plane, opened by all, sealed for everybody else."""

from datetime import datetime

from controlplane.identity import ca
from controlplane.identity.records import AUTHORITY, AuthorityRecord, decode, encode
from controlplane.identity.seal import Seal
from controlplane.store.client import Put, Store, Unchanged
from controlplane.store.errors import Conflict
from nearhop.errors import InvalidInput, Violation


async def open_authority(store: Store, seal: Seal, trust_domain: str, now: datetime) -> ca.Authority:
    """Return the fleet's authority; the first caller makes it.

    Raises SealBroken when another key-encryption key sealed it, InvalidInput when it is of another trust domain, StoreError.
    """
    while (item := await store.get(AUTHORITY)) is None:
        made = ca.create(trust_domain, now)
        sealed = seal.close(ca.key_pem(made.key), AUTHORITY).hex()
        try:
            await store.commit(
                [Unchanged(AUTHORITY, 0)],
                [Put(AUTHORITY, encode(AuthorityRecord(trust_domain, made.pem.decode(), sealed)))],
            )
        except Conflict:
            continue  # another control plane was first: take its authority
        return made
    record = decode(AuthorityRecord, item.value)
    if record.trust_domain != trust_domain:
        raise InvalidInput(
            [
                Violation(
                    "trust_domain", f"is {trust_domain!r}, but the store's authority is that of {record.trust_domain!r}"
                )
            ]
        )
    key = seal.open(bytes.fromhex(record.sealed_key), AUTHORITY)
    return ca.load(record.certificate.encode(), key, trust_domain)
