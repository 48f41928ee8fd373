import json
from collections.abc import Mapping
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.model import (
    Bundle,
    Deployment,
    Event,
    Function,
    Gradual,
    Location,
    Node,
    NodeReport,
    Phase,
    Presence,
    Rollout,
    Secret,
    Share,
    Version,
)
from controlplane.store import codec
from controlplane.store.errors import CodecError
from controlplane.store.keys import Kind
from nearhop.spec import Dialect, Limits, Manifest

finite = st.floats(allow_nan=False, allow_infinity=False)
for primitive, strategy in ((float, finite), (str, st.text(max_size=8))):
    st.register_type_strategy(primitive, strategy)
st.register_type_strategy(
    Mapping, lambda kind: st.dictionaries(*(st.from_type(part) for part in get_args(kind)), max_size=2)
)
KINDS = (Function, Version, Bundle, Deployment, Node, NodeReport, Event, Presence, Secret)
records = st.one_of(*(st.from_type(kind) for kind in KINDS))


@given(records)
def test_a_record_survives_the_round_trip(record: Any) -> None:
    assert codec.decode(type(record), codec.encode(record)) == record


def test_a_rollout_survives_the_round_trip() -> None:
    steps = Gradual((10, 100), 30.0, hold=True, max_failures=2)
    rollout = Rollout(2, 1, steps, 0, 5.0, 6.0, 41, 0, {"a": 3})
    record = Deployment("f", 2, (), (), Phase.PAUSED, "", 1.0, "r", rollout=rollout, note="n")
    assert codec.decode(Deployment, codec.encode(record)) == record


def test_every_kind_of_record_has_a_type_and_a_schema() -> None:
    assert set(codec.TYPES) == set(Kind)
    assert set(codec.TYPES.values()) == set(codec._SCHEMAS)


def test_records_of_a_control_plane_without_manifests_are_still_read() -> None:
    function = (
        b'{"schema":"function/1","record":{"name":"hello","hostnames":["hello.example.org"],"created_at":1.0,'
        b'"request_id":"r","limits":{"cpu_ms":10,"memory_mib":64,"wall_ms":1000}}}'
    )
    assert codec.decode(Function, function) == Function("hello", ("hello.example.org",), 1.0, "r", Limits(10, 64, 1000))
    version = (
        b'{"schema":"version/1","record":{"function":"hello","number":1,"digest":"d","size_bytes":1,"dialect":"deno",'
        b'"entrypoint":"","author":"","message":"","created_at":1.0,"request_id":"r"}}'
    )
    assert codec.decode(Version, version) == Version("hello", 1, "d", 1, Dialect.DENO, "", "", "", 1.0, "r", Manifest())
    deployment = (
        b'{"schema":"deployment/1","record":{"function":"hello","generation":2,"shares":[{"version":2,"percent":100}],"previous":'
        b'[{"version":1,"percent":100}],"phase":"progressing","reason":"","created_at":1.0,"request_id":"r","ended_at":null,'
        b'"previous_generation":1,"nodes":[],"past":[]}}'
    )
    assert codec.decode(Deployment, deployment) == Deployment(
        "hello", 2, (Share(2, 100),), (Share(1, 100),), Phase.PROGRESSING, "", 1.0, "r", previous_generation=1
    )
    report = (
        b'{"schema":"report/1","record":{"node":"a","instance":"i","snapshot_revision":1,'
        b'"placements":[{"function":"hello","generation":1,"state":"active","active_version":1,"error":""}]}}'
    )
    [status] = codec.decode(NodeReport, report).placements
    assert (status.overruns, status.breaker_open) == ({}, False)


FUNCTION = Function("hello", ("hello.example.org",), 1.0, "r")


def test_fields_of_a_newer_writer_are_ignored() -> None:
    envelope = json.loads(codec.encode(FUNCTION))
    envelope["record"]["color"] = "blue"
    envelope["more"] = 1
    assert codec.decode(Function, json.dumps(envelope).encode()) == FUNCTION


def test_fields_that_an_older_writer_did_not_know_take_their_default() -> None:
    envelope = json.loads(codec.encode(FUNCTION))
    del envelope["record"]["limits"]
    assert codec.decode(Function, json.dumps(envelope).encode()) == FUNCTION


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff",
        b"[]",
        b"3",
        b"null",
        b"{}",
        b'{"schema":"function/1"}',
        b'{"schema":"function/2","record":{}}',
        b'{"schema":"node/1","record":{}}',
        b'{"schema":"function/1","record":{}}',
        b'{"schema":"function/1","record":null}',
        b'{"schema":"function/1","record":{"name":1,"hostnames":[],"created_at":"x","request_id":""}}',
        b"[" * 100_000,
    ],
)
def test_what_is_not_the_record_is_refused(value: bytes) -> None:
    with pytest.raises(CodecError):
        codec.decode(Function, value)


@given(st.binary(max_size=64))
def test_any_bytes_are_read_or_refused(value: bytes) -> None:
    with pytest.raises(CodecError):
        codec.decode(Function, value)


def test_a_number_that_json_does_not_have_is_never_written() -> None:
    node = Node("a", "r", "", Location(float("nan"), 0.0), ingress=codec.decode(Node, _node()).ingress)
    with pytest.raises(ValueError, match="JSON"):
        codec.encode(node)


def _node() -> bytes:
    return (
        b'{"schema":"node/1","record":{"id":"a","region":"r","site":"","location":{"latitude":1,"longitude":2},'
        b'"ingress":{"port":80}}}'
    )
