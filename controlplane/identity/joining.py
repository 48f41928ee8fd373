"""Parts of the fleet: join with a token, renew, are revoked. Every step is one transaction with compares, so that of two at once one wins.

A part's certificates carry the epoch of its join. Revoking the part, and joining anew, begin the next epoch: what was issued before is worthless,
without a list of serial numbers and without trust in anybody's clock.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from controlplane.identity import ca, tokens
from controlplane.identity.errors import AlreadyExists, JoinRefused, NotFound, Revoked
from controlplane.identity.principal import PartCaller
from controlplane.identity.records import JOINS, PARTS, JoinTokenRecord, PartRecord, decode, encode, join_key, part_key
from controlplane.store.client import Delete, Item, Present, Put, Store, Unchanged
from controlplane.store.errors import Conflict
from nearhop import log, spiffe
from nearhop.errors import InvalidInput, Violation
from nearhop.spiffe import Part, Role

_log = log.get(__name__)

JOIN_TTL_S = 600.0  # SPIRE's default for join tokens
JOIN_TTL_MAX_S = 86_400.0
_EXPLAINED_S = 86_400  # how long after its end a token's fate can still be told
_REASON_MAX = 200
_ATTEMPTS = 5  # each lost race means that somebody else has won one


@dataclass(frozen=True, slots=True)
class Issued:
    """What a part gets: its certificate and whom to trust, in PEM."""

    certificate: x509.Certificate
    chain: bytes
    authorities: bytes


class Joining:
    """The parts' register. *life* is that of the certificates it issues; *clock* returns seconds since 1970."""

    def __init__(self, store: Store, authority: ca.Authority, *, life: timedelta, clock: Callable[[], float]) -> None:
        self._store = store
        self._authority = authority
        self._life = life
        self._clock = clock

    async def create_token(
        self, request_id: str, part: Part, *, ttl_s: float = 0.0, replace: bool = False
    ) -> tuple[JoinTokenRecord, str]:
        """Make a token for *part*; return its record and its text. Raises InvalidInput, AlreadyExists."""
        if violations := _token_reasons(part, ttl_s):
            raise InvalidInput(violations)
        ttl_s = ttl_s or JOIN_TTL_S
        token_id, secret = tokens.id_for(request_id), tokens.new_secret()
        lease = await self._store.grant(int(ttl_s) + _EXPLAINED_S)
        record = JoinTokenRecord(token_id, tokens.digest(secret), part, replace, self._clock() + ttl_s, lease)
        key = join_key(token_id)
        try:
            await self._store.commit([Unchanged(key, 0)], [Put(key, encode(record), lease=lease)])
        except Conflict as error:
            await self._store.revoke(lease)
            raise AlreadyExists(
                f"this request has made the token {token_id} already, which was shown only then"
            ) from error
        _log.info("join token made", token=token_id, joins=str(part), ttl_s=ttl_s)
        return record, tokens.join_token(token_id, secret, self._authority.sha256)

    async def list_tokens(self) -> list[JoinTokenRecord]:
        """Return the tokens that may still be used, ordered by the part's name."""
        records = [decode(JoinTokenRecord, item.value) for item in (await self._store.list(JOINS)).items]
        now = self._clock()
        return sorted(
            (it for it in records if it.used_at is None and it.expires_at > now), key=lambda it: (it.part, it.id)
        )

    async def revoke_token(self, token_id: str) -> None:
        """End a join token. Raises NotFound."""
        key = join_key(token_id)
        try:
            await self._store.commit([Present(key)], [Delete(key)])
        except Conflict as error:
            raise NotFound(f"there is no join token {token_id!r}") from error

    async def join(self, text: str, part: Part, csr: bytes) -> Issued:
        """Exchange a token for a certificate. Raises JoinRefused, AlreadyExists, InvalidInput.

        A joiner that lost the answer may repeat the call with the same key.
        """
        presented = tokens.parse_join(text)
        if presented is None:
            raise JoinRefused("this is no join token")
        for _ in range(_ATTEMPTS):
            # The part before the token: whoever loses a race for the token must see it used, not the name taken.
            present, known = await self._part(part)
            item = await self._store.get(join_key(presented.id))
            if item is None:
                raise JoinRefused("the join token is unknown: never made, revoked, or long expired")
            token = decode(JoinTokenRecord, item.value)
            if not tokens.matches(presented, token.digest):
                raise JoinRefused("the join token is unknown: its secret is wrong")
            if token.part != part:
                raise JoinRefused(f"the join token is bound to {_full(token.part)}, not to {_full(part)}")
            key = ca.read_request(csr, part, self._authority.trust_domain)
            if token.used_at is not None:
                return self._repeat(token, known, key)
            if self._clock() >= token.expires_at:
                raise JoinRefused(f"the join token expired at {ca.utc(token.expires_at):%F %T} UTC")
            try:
                return await self._admit(item, token, present, known, key)
            except Conflict:
                continue  # another joiner, or another change of this part: look again
        raise Conflict(f"{part} is being changed by others all the time")

    async def renew(self, caller: PartCaller, csr: bytes) -> Issued:
        """Issue another certificate of the caller's name and epoch. Raises Revoked, InvalidInput."""
        part = caller.part
        key = ca.read_request(csr, part, self._authority.trust_domain)
        for _ in range(_ATTEMPTS):
            item, known = await self._part(part)
            now = self._clock()
            if known is not None and (known.epoch > caller.epoch or known.revoked):
                raise Revoked(revocation(known, caller))
            not_after = now + self._life.total_seconds()
            # Unknown: the store was restored from a backup of before the join. The certificate is proof enough.
            record = (
                dataclasses.replace(known, not_after=not_after)
                if known
                else PartRecord(part, caller.epoch, now, not_after)
            )
            try:
                await self._put(item, record)
            except Conflict:
                continue
            return self._issue(key, part, caller.epoch, now)
        raise Conflict(f"{part} is being changed by others all the time")

    async def revoke(self, part: Part, reason: str) -> PartRecord:
        """Make all of *part*'s certificates worthless. Raises NotFound, InvalidInput."""
        if len(reason) > _REASON_MAX or not reason.isprintable():
            raise InvalidInput([Violation("reason", f"must be printable and at most {_REASON_MAX} characters long")])
        for _ in range(_ATTEMPTS):
            item, known = await self._part(part)
            if known is None:
                raise NotFound(f"no {_full(part)} has ever joined")
            if known.revoked:
                return known
            revoked = dataclasses.replace(
                known, epoch=known.epoch + 1, revoked=True, revoked_at=self._clock(), reason=reason
            )
            try:
                await self._put(item, revoked)
            except Conflict:
                continue
            _log.warning("identity revoked", identity=_full(part), reason=reason)
            return revoked
        raise Conflict(f"{part} is being changed by others all the time")

    async def list_parts(self) -> list[PartRecord]:
        """Return all parts that have ever joined, ordered by name."""
        return sorted(
            (decode(PartRecord, item.value) for item in (await self._store.list(PARTS)).items), key=lambda it: it.part
        )

    async def absent(self, parts: Sequence[Part]) -> list[Part]:
        """Return those of *parts* that have no certificate which holds."""
        now = self._clock()
        present = {it.part for it in await self.list_parts() if not it.revoked and it.not_after > now}
        return [part for part in parts if part not in present]

    async def _admit(
        self,
        item: Item,
        token: JoinTokenRecord,
        present: Item | None,
        known: PartRecord | None,
        key: ec.EllipticCurvePublicKey,
    ) -> Issued:
        now = self._clock()
        if known is not None and not known.revoked and known.not_after > now and not token.replace:
            raise AlreadyExists(
                f"{_full(token.part)} has joined already and its certificate holds until {ca.utc(known.not_after):%F %T} UTC; "
                "revoke it, or make a token that replaces it"
            )
        epoch = known.epoch + 1 if known else 1
        record = PartRecord(token.part, epoch, now, now + self._life.total_seconds())
        used = dataclasses.replace(token, used_at=now, used_key=_fingerprint(key), used_epoch=epoch)
        await self._store.commit(
            [Unchanged(item.key, item.revision), _unchanged(present, token.part)],
            [Put(item.key, encode(used), lease=token.lease), Put(part_key(token.part), encode(record))],
        )
        _log.info("part joined", identity=_full(token.part), token=token.id, epoch=epoch)
        return self._issue(key, token.part, epoch, now)

    def _repeat(self, token: JoinTokenRecord, known: PartRecord | None, key: ec.EllipticCurvePublicKey) -> Issued:
        same = _fingerprint(key) == token.used_key and known is not None and known.epoch == token.used_epoch
        if not same or self._clock() >= token.expires_at:
            raise JoinRefused(f"the join token was used already, at {ca.utc(token.used_at or 0):%F %T} UTC")
        return self._issue(key, token.part, token.used_epoch, self._clock())

    async def _part(self, part: Part) -> tuple[Item | None, PartRecord | None]:
        item = await self._store.get(part_key(part))
        return item, decode(PartRecord, item.value) if item else None

    async def _put(self, item: Item | None, record: PartRecord) -> None:
        await self._store.commit([_unchanged(item, record.part)], [Put(part_key(record.part), encode(record))])

    def _issue(self, key: ec.EllipticCurvePublicKey, part: Part, epoch: int, now: float) -> Issued:
        certificate = ca.issue(self._authority, key, part, epoch=epoch, now=ca.utc(now), life=self._life)
        return Issued(certificate, certificate.public_bytes(Encoding.PEM), self._authority.pem)


def revocation(record: PartRecord, caller: PartCaller) -> str:
    """Say why *caller*'s certificate is worthless, given its name's *record*; empty when it is not."""
    if caller.epoch >= record.epoch:
        return ""
    if record.revoked:
        return f"the certificate of {_full(caller.part)} was revoked" + (f": {record.reason}" if record.reason else "")
    return f"another part has joined as {_full(caller.part)} since this certificate was issued"


def _token_reasons(part: Part, ttl_s: float) -> list[Violation]:
    found = [Violation(f"part.{it.field}", it.reason) for it in spiffe.reasons(part)]
    if part.role is Role.CONTROL_PLANE:
        found.append(
            Violation("part.role", "a control plane does not join; it needs the store and the key-encryption key")
        )
    if not 0 <= ttl_s <= JOIN_TTL_MAX_S:  # also refuses NaN
        found.append(Violation("ttl_s", f"must be between 0 and {JOIN_TTL_MAX_S:g}"))
    return found


def _unchanged(item: Item | None, part: Part) -> Unchanged:
    return Unchanged(part_key(part), item.revision if item else 0)


def _fingerprint(key: ec.EllipticCurvePublicKey) -> str:
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _full(part: Part) -> str:
    return f"{part} of region {part.region}" if part.role is Role.NODE else str(part)
