"""Records read back as they were written, and nothing else is read."""

import pytest

from controlplane.identity.principal import ApiRole
from controlplane.identity.records import (
    ApiTokenRecord,
    AuthorityRecord,
    JoinTokenRecord,
    PartRecord,
    Record,
    decode,
    encode,
    part_key,
)
from controlplane.store.errors import CodecError
from nearhop.spiffe import Part, Role

NODE = Part(Role.NODE, "tokyo-1", "tokyo")


@pytest.mark.parametrize(
    "record",
    [
        AuthorityRecord("example.org", "PEM", "00"),
        PartRecord(NODE, 3, 1.0, 2.5, revoked=True, revoked_at=2.0, reason="lost"),
        ApiTokenRecord("1", "ci", ApiRole.DEPLOYER, ("a", "b"), "00", 1.0, None, 2.0),
        JoinTokenRecord("1", "00", Part(Role.ROUTER, "r1"), True, 1.0, 7),
    ],
)
def test_a_record_reads_back(record: Record) -> None:
    assert decode(type(record), encode(record)) == record


@pytest.mark.parametrize("value", [b"", b"{}", b"[]", b"\xff", b'{"schema": "part/1", "record": {}}', b"[" * 100_000])
def test_other_bytes_are_no_record(value: bytes) -> None:
    with pytest.raises(CodecError):
        decode(PartRecord, value)


def test_one_kind_is_not_taken_for_another() -> None:
    with pytest.raises(CodecError, match="authority/1"):
        decode(PartRecord, encode(AuthorityRecord("example.org", "PEM", "00")))


def test_no_two_parts_share_a_key() -> None:
    parts = [NODE, Part(Role.NODE, "tokyo", "tokyo-1"), Part(Role.ROUTER, "tokyo-1"), Part(Role.CONTROL_PLANE, "r1")]
    assert len({part_key(part) for part in parts}) == len(parts)
