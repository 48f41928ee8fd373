"""Secrets of functions: sealed before they reach the store, opened for the nodes' snapshots, and told to nobody else."""

import base64
import binascii
import time
from collections.abc import Mapping, Sequence
from typing import Any

from controlplane.api import validate
from controlplane.api.errors import Exhausted, NotFound, Precondition, no_function
from controlplane.api.mutations import Mutations, Proposal
from controlplane.identity.seal import Seal, SealBroken
from controlplane.model import Secret
from controlplane.store import codec, keys
from controlplane.store.cache import Cache
from controlplane.store.client import Delete, Put, Unchanged
from controlplane.store.keys import Key, Kind
from controlplane.store.view import Stored, View
from nearhop import log, names
from nearhop.v1 import functions_pb2, node_control_pb2

_log = log.get(__name__)

SECRETS_MAX = 128
_VALUE_BYTES = 5 << 10


class Safe:
    """Seals and opens secrets under the key-encryption key; *seal* is None for a control plane that has none."""

    def __init__(self, seal: Seal | None = None) -> None:
        self.seal = seal
        self._opened: dict[tuple[str, str], tuple[int, str | None]] = {}

    def close(self, function: str, name: str, value: str) -> str:
        """Return *value* as the store may hold it. Raises Precondition."""
        return base64.b64encode(self._key().close(value.encode(), _place(function, name))).decode()

    def mark(self, function: str, name: str, value: str) -> str:
        """Return what stands for *value* where equality matters, and cannot be guessed back without the key. Raises Precondition."""
        return self._key().mark(value.encode(), _place(function, name))

    def opened(self, view: View) -> Mapping[str, Sequence[node_control_pb2.Secret]]:
        """Return all secrets by function, ordered by name. One that cannot be opened is left out, and the log says so."""
        self._opened = {key: self._open(key, stored) for key, stored in view.secrets.items()}
        found: dict[str, list[node_control_pb2.Secret]] = {}
        for (function, name), (_, value) in sorted(self._opened.items()):
            if value is not None:
                found.setdefault(function, []).append(node_control_pb2.Secret(name=name, value=value))
        return found

    def _open(self, key: tuple[str, str], stored: Stored[Secret]) -> tuple[int, str | None]:
        known = self._opened.get(key)
        if known is not None and known[0] == stored.revision:
            return known
        try:
            sealed = base64.b64decode(stored.record.sealed, validate=True)
            return stored.revision, self._key().open(sealed, _place(*key)).decode()
        except (SealBroken, Precondition, binascii.Error, UnicodeDecodeError) as error:
            _log.error(
                "a secret cannot be opened; programs go without it", function=key[0], name=key[1], error=str(error)
            )
            return stored.revision, None

    def _key(self) -> Seal:
        if self.seal is None:
            raise Precondition(
                "NO_KEY_ENCRYPTION_KEY",
                "this control plane keeps no secrets: it has no key-encryption key (identity.key_file)",
            )
        return self.seal


class SecretCalls:
    """The calls of the Functions service that are about secrets."""

    def __init__(self, mutations: Mutations, cache: Cache, safe: Safe) -> None:
        self._mutations = mutations
        self._cache = cache
        self._safe = safe

    async def put(self, request: functions_pb2.PutSecretRequest) -> functions_pb2.PutSecretResponse:
        check = _checked(request)
        if (size := len(request.value.encode())) > _VALUE_BYTES:
            check.add("value", [f"has {size} bytes; at most {_VALUE_BYTES} are allowed"])
        if "\0" in request.value:
            check.add("value", ["holds a NUL character"])
        check.raise_if_any()
        # The answer's fingerprint stays in the store for an hour: it must not be one that the value could be guessed from.
        marked = functions_pb2.PutSecretRequest()
        marked.CopyFrom(request)
        marked.value = self._safe.mark(request.function, request.name, request.value)

        async def propose() -> Proposal[functions_pb2.PutSecretResponse]:
            function = await self._function(request.function)
            key = str(Key(Kind.SECRETS, request.function, item=request.name))
            before = await self._mutations.store.get(key)
            if before is None:
                await self._require_room(request.function)
            sealed = self._safe.close(request.function, request.name, request.value)
            record = Secret(request.function, request.name, sealed, time.time())
            return Proposal(
                [function, Unchanged(key, before.revision if before else 0)],
                [Put(key, codec.encode(record))],
                functions_pb2.PutSecretResponse(),
            )

        return await self._mutations.run(marked, propose, functions_pb2.PutSecretResponse)

    async def delete(self, request: functions_pb2.DeleteSecretRequest) -> functions_pb2.DeleteSecretResponse:
        _checked(request).raise_if_any()

        async def propose() -> Proposal[functions_pb2.DeleteSecretResponse]:
            function = await self._function(request.function)
            key = str(Key(Kind.SECRETS, request.function, item=request.name))
            before = await self._mutations.store.get(key)
            if before is None:
                raise NotFound(
                    "SECRET_NOT_FOUND",
                    f"function {request.function!r} has no secret {request.name!r}",
                    function=request.function,
                    secret=request.name,
                )
            return Proposal(
                [function, Unchanged(key, before.revision)], [Delete(key)], functions_pb2.DeleteSecretResponse()
            )

        return await self._mutations.run(request, propose, functions_pb2.DeleteSecretResponse)

    def list(self, request: functions_pb2.ListSecretsRequest) -> functions_pb2.ListSecretsResponse:
        view = self._cache.current()
        if request.function not in view.functions:
            raise no_function(request.function)
        found = sorted(name for function, name in view.secrets if function == request.function)
        return functions_pb2.ListSecretsResponse(names=found)

    async def _function(self, name: str) -> Unchanged:
        item = await self._mutations.store.get(str(Key(Kind.FUNCTIONS, name)))
        if item is None:
            raise no_function(name)
        return Unchanged(item.key, item.revision)

    async def _require_room(self, function: str) -> None:
        kept = await self._mutations.store.list(keys.secrets_of(function), keys_only=True)
        if len(kept.items) >= SECRETS_MAX:
            raise Exhausted("TOO_MANY_SECRETS", f"function {function!r} has {SECRETS_MAX} secrets, which is the most")


def _checked(request: Any) -> validate.Check:
    check = validate.Check()
    check.request_id(request.request_id)
    check.add("function", names.function_name_reasons(request.function))
    check.add("name", names.variable_reasons(request.name))
    return check


def _place(function: str, name: str) -> str:
    return str(Key(Kind.SECRETS, function, item=name))
