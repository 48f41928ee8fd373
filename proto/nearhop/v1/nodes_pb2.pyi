import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from nearhop.v1 import common_pb2 as _common_pb2
from nearhop.v1 import node_control_pb2 as _node_control_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Node(_message.Message):
    __slots__ = ("id", "region", "site", "location", "ingress", "draining", "health", "health_reason", "connected", "report", "witnesses", "last_seen_at", "revision")
    class Health(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        HEALTH_UNSPECIFIED: _ClassVar[Node.Health]
        HEALTH_HEALTHY: _ClassVar[Node.Health]
        HEALTH_UNHEALTHY: _ClassVar[Node.Health]
        HEALTH_STALE: _ClassVar[Node.Health]
        HEALTH_DRAINING: _ClassVar[Node.Health]
    HEALTH_UNSPECIFIED: Node.Health
    HEALTH_HEALTHY: Node.Health
    HEALTH_UNHEALTHY: Node.Health
    HEALTH_STALE: Node.Health
    HEALTH_DRAINING: Node.Health
    ID_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    SITE_FIELD_NUMBER: _ClassVar[int]
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    INGRESS_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    HEALTH_REASON_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    WITNESSES_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_AT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    id: str
    region: str
    site: str
    location: _common_pb2.Location
    ingress: _common_pb2.Ingress
    draining: bool
    health: Node.Health
    health_reason: str
    connected: bool
    report: _node_control_pb2.NodeReport
    witnesses: _containers.RepeatedCompositeFieldContainer[Witness]
    last_seen_at: _timestamp_pb2.Timestamp
    revision: int
    def __init__(self, id: _Optional[str] = ..., region: _Optional[str] = ..., site: _Optional[str] = ..., location: _Optional[_Union[_common_pb2.Location, _Mapping]] = ..., ingress: _Optional[_Union[_common_pb2.Ingress, _Mapping]] = ..., draining: _Optional[bool] = ..., health: _Optional[_Union[Node.Health, str]] = ..., health_reason: _Optional[str] = ..., connected: _Optional[bool] = ..., report: _Optional[_Union[_node_control_pb2.NodeReport, _Mapping]] = ..., witnesses: _Optional[_Iterable[_Union[Witness, _Mapping]]] = ..., last_seen_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class Witness(_message.Message):
    __slots__ = ("router", "node", "verdict", "reason", "rtt_s", "since")
    class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        VERDICT_UNSPECIFIED: _ClassVar[Witness.Verdict]
        VERDICT_UP: _ClassVar[Witness.Verdict]
        VERDICT_DOWN: _ClassVar[Witness.Verdict]
        VERDICT_UNKNOWN: _ClassVar[Witness.Verdict]
    VERDICT_UNSPECIFIED: Witness.Verdict
    VERDICT_UP: Witness.Verdict
    VERDICT_DOWN: Witness.Verdict
    VERDICT_UNKNOWN: Witness.Verdict
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RTT_S_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    router: str
    node: str
    verdict: Witness.Verdict
    reason: str
    rtt_s: float
    since: _timestamp_pb2.Timestamp
    def __init__(self, router: _Optional[str] = ..., node: _Optional[str] = ..., verdict: _Optional[_Union[Witness.Verdict, str]] = ..., reason: _Optional[str] = ..., rtt_s: _Optional[float] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListNodesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListNodesResponse(_message.Message):
    __slots__ = ("nodes",)
    NODES_FIELD_NUMBER: _ClassVar[int]
    nodes: _containers.RepeatedCompositeFieldContainer[Node]
    def __init__(self, nodes: _Optional[_Iterable[_Union[Node, _Mapping]]] = ...) -> None: ...

class GetNodeRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class DrainNodeRequest(_message.Message):
    __slots__ = ("request_id", "id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    id: str
    def __init__(self, request_id: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class UncordonNodeRequest(_message.Message):
    __slots__ = ("request_id", "id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    id: str
    def __init__(self, request_id: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class DeleteNodeRequest(_message.Message):
    __slots__ = ("request_id", "id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    id: str
    def __init__(self, request_id: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class DeleteNodeResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
