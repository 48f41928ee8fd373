"""API tokens, for people and programs: made, listed, revoked. Checking one at each call is the directory's work."""

import math
from collections.abc import Callable, Sequence

from controlplane.identity import tokens
from controlplane.identity.errors import AlreadyExists, NotFound
from controlplane.identity.principal import EVERY_FUNCTION, ApiRole
from controlplane.identity.records import TOKENS, ApiTokenRecord, decode, encode, token_key
from controlplane.store.client import Delete, Present, Put, Store, Unchanged
from controlplane.store.errors import Conflict
from nearhop import log, names
from nearhop.errors import InvalidInput, Violation

_log = log.get(__name__)

_FUNCTIONS_MAX = 1000


class ApiTokens:
    """The register of API tokens. *clock* returns seconds since 1970."""

    def __init__(self, store: Store, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    async def create(
        self, request_id: str, name: str, role: ApiRole, *, functions: Sequence[str] = (), ttl_s: float = 0.0
    ) -> tuple[ApiTokenRecord, str]:
        """Make a token that never expires (*ttl_s* 0) or does; return its record and its text. Raises InvalidInput, AlreadyExists."""
        if violations := _reasons(name, role, functions, ttl_s):
            raise InvalidInput(violations)
        token_id, secret, now = tokens.id_for(request_id), tokens.new_secret(), self._clock()
        record = ApiTokenRecord(
            id=token_id,
            name=name,
            role=role,
            functions=tuple(sorted(set(functions))),
            digest=tokens.digest(secret),
            created_at=now,
            expires_at=now + ttl_s if ttl_s else None,
        )
        key = token_key(token_id)
        try:
            await self._store.commit([Unchanged(key, 0)], [Put(key, encode(record))])
        except Conflict as error:
            raise AlreadyExists(
                f"this request has made the token {token_id} already, which was shown only then"
            ) from error
        _log.info("API token made", token=token_id, name=name, role=role.value)
        return record, tokens.api_token(token_id, secret)

    async def list(self) -> list[ApiTokenRecord]:
        """Return all tokens, oldest first."""
        items = (await self._store.list(TOKENS)).items
        return sorted((decode(ApiTokenRecord, item.value) for item in items), key=lambda it: (it.created_at, it.id))

    async def revoke(self, token_id: str) -> None:
        """End a token. Raises NotFound."""
        key = token_key(token_id)
        try:
            await self._store.commit([Present(key)], [Delete(key)])
        except Conflict as error:
            raise NotFound(f"there is no API token {token_id!r}") from error
        _log.warning("API token revoked", token=token_id)


def _reasons(name: str, role: ApiRole, functions: Sequence[str], ttl_s: float) -> list[Violation]:
    found = [Violation("name", reason) for reason in names.label_reasons(name)]
    if role is ApiRole.DEPLOYER and not functions:
        found.append(
            Violation("functions", f'must name the functions that the token may change, or be "{EVERY_FUNCTION}"')
        )
    if role is not ApiRole.DEPLOYER and functions:
        found.append(Violation("functions", "are a deployer's only"))
    if len(functions) > _FUNCTIONS_MAX:
        found.append(Violation("functions", f"has {len(functions)} entries; at most {_FUNCTIONS_MAX} are allowed"))
    for index, function in enumerate(functions[:_FUNCTIONS_MAX]):
        if function != EVERY_FUNCTION:
            found += [Violation(f"functions[{index}]", reason) for reason in names.function_name_reasons(function)]
    if not (math.isfinite(ttl_s) and ttl_s >= 0):
        found.append(Violation("ttl_s", "must be 0 (for ever) or a positive number of seconds"))
    return found
