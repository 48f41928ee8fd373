"""Claims: which function answers a path of a hostname that is its owner's. One key each, so that no two functions ever have the same."""

import json
from collections.abc import Iterable, Iterator

from controlplane.model import Function
from controlplane.store import keys
from controlplane.store.client import Delete, Put, Store, Unchanged
from controlplane.store.errors import CodecError
from nearhop.errors import NearhopError

_SCHEMA = "claim/1"
_WHOLE = "/"  # the path of a whole hostname


class Claimed(NearhopError):
    """Another function has it."""

    def __init__(self, what: str, function: str) -> None:
        super().__init__(f"{what} belongs to the function {function!r}")
        self.function = function


async def changes(store: Store, before: Function | None, after: Function) -> tuple[list[Unchanged], list[Put | Delete]]:
    """Return the compares and the writes by which *after* has its claims, and those that it has given up are free. Raises Claimed."""
    old, new = set(_claims(before)) if before else set(), dict.fromkeys(_claims(after))
    compares, writes = [], []
    for hostname, path in new:
        key = keys.claim(hostname, path)
        item = await store.get(key)
        if item is not None and (owner := _decode(item.value)) != after.name:
            raise Claimed(f"{hostname}{path if path != _WHOLE else ''}", owner)
        compares.append(Unchanged(key, item.revision if item else 0))
        if item is None:
            writes.append(Put(key, _encode(after.name)))
    return compares, [*writes, *releases(old - new.keys())]


def all_of(function: Function) -> list[Delete]:
    """Return the writes that free all claims of *function*."""
    return list(releases(_claims(function)))


def releases(claims: Iterable[tuple[str, str]]) -> Iterator[Delete]:
    for hostname, path in sorted(set(claims)):
        yield Delete(keys.claim(hostname, path))


def _claims(function: Function) -> Iterator[tuple[str, str]]:
    yield from ((hostname, _WHOLE) for hostname in function.hostnames[1:])  # the first is the zone's
    yield from ((route.hostname, route.path) for route in function.routes)


def _encode(function: str) -> bytes:
    return json.dumps({"schema": _SCHEMA, "record": {"function": function}}).encode()


def _decode(value: bytes) -> str:
    try:
        envelope = json.loads(value)
        if envelope["schema"] != _SCHEMA:
            raise CodecError(f"has the schema {envelope['schema']!r} where {_SCHEMA!r} is expected")
        return str(envelope["record"]["function"])
    except (ValueError, TypeError, KeyError) as error:
        raise CodecError(f"not a claim: {error!r}") from error
