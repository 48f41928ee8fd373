"""Records <-> JSON bytes.

A value is {"schema": "<name>/<major>", "record": {...}}. Fields that a reader does not know are ignored, so that a newer control plane may add some
while an older one still runs; a change of meaning takes a new major number, which older readers refuse.
"""

import json
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from controlplane.model import (
    Bundle,
    CronMarks,
    Deployment,
    Event,
    Function,
    Node,
    NodeReport,
    Presence,
    ScheduledCall,
    Secret,
    Version,
)
from controlplane.store.errors import CodecError
from controlplane.store.keys import Kind

Record = (
    Function | Version | Bundle | Deployment | Node | NodeReport | Event | Presence | Secret | CronMarks | ScheduledCall
)
R = TypeVar(
    "R", Function, Version, Bundle, Deployment, Node, NodeReport, Event, Presence, Secret, CronMarks, ScheduledCall
)

TYPES: dict[Kind, type[Record]] = {
    Kind.FUNCTIONS: Function,
    Kind.VERSIONS: Version,
    Kind.MANIFESTS: Bundle,
    Kind.DEPLOYMENTS: Deployment,
    Kind.NODES: Node,
    Kind.HEALTH: NodeReport,
    Kind.EVENTS: Event,
    Kind.PRESENCE: Presence,
    Kind.SECRETS: Secret,
    Kind.CRONS: CronMarks,
    Kind.CALLS: ScheduledCall,
}
_SCHEMAS: dict[type[Record], str] = {
    Function: "function/1",
    Version: "version/1",
    Bundle: "bundle/1",
    Deployment: "deployment/1",
    Node: "node/1",
    NodeReport: "report/1",
    Event: "event/1",
    Presence: "presence/1",
    Secret: "secret/1",
    CronMarks: "crons/1",
    ScheduledCall: "call/1",
}


def encode(record: Record) -> bytes:
    """Return the bytes that the store keeps for *record*."""
    kind = type(record)
    envelope = {"schema": _SCHEMAS[kind], "record": _ADAPTERS[kind].dump_python(record, mode="json")}
    return json.dumps(envelope, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def decode(kind: type[R], value: bytes) -> R:
    """Return the *kind* in *value*. Raises CodecError."""
    try:
        envelope = json.loads(value)
        schema, record = envelope["schema"], envelope["record"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CodecError(f"not a record: {error!r}") from error
    if schema != _SCHEMAS[kind]:
        raise CodecError(f"has the schema {schema!r} where {_SCHEMAS[kind]!r} is expected")
    try:
        result: R = _ADAPTERS[kind].validate_python(record)
    except ValidationError as error:
        raise CodecError(f"not a {schema}: {error}") from error
    return result


_ADAPTERS: dict[type[Record], TypeAdapter[Any]] = {kind: TypeAdapter(kind) for kind in _SCHEMAS}
