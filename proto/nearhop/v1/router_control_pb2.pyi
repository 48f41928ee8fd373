from nearhop.v1 import common_pb2 as _common_pb2
from nearhop.v1 import nodes_pb2 as _nodes_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RouterMessage(_message.Message):
    __slots__ = ("hello", "report")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    hello: RouterHello
    report: RouterReport
    def __init__(self, hello: _Optional[_Union[RouterHello, _Mapping]] = ..., report: _Optional[_Union[RouterReport, _Mapping]] = ...) -> None: ...

class RouterHello(_message.Message):
    __slots__ = ("router", "dns", "http", "epoch")
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    DNS_FIELD_NUMBER: _ClassVar[int]
    HTTP_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    router: str
    dns: str
    http: str
    epoch: int
    def __init__(self, router: _Optional[str] = ..., dns: _Optional[str] = ..., http: _Optional[str] = ..., epoch: _Optional[int] = ...) -> None: ...

class RouterReport(_message.Message):
    __slots__ = ("epoch", "verdicts", "answers", "seen_up", "seen_down")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    SEEN_UP_FIELD_NUMBER: _ClassVar[int]
    SEEN_DOWN_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    verdicts: _containers.RepeatedCompositeFieldContainer[_nodes_pb2.Witness]
    answers: _containers.RepeatedCompositeFieldContainer[AnswerCount]
    seen_up: _containers.RepeatedScalarFieldContainer[str]
    seen_down: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, epoch: _Optional[int] = ..., verdicts: _Optional[_Iterable[_Union[_nodes_pb2.Witness, _Mapping]]] = ..., answers: _Optional[_Iterable[_Union[AnswerCount, _Mapping]]] = ..., seen_up: _Optional[_Iterable[str]] = ..., seen_down: _Optional[_Iterable[str]] = ...) -> None: ...

class AnswerCount(_message.Message):
    __slots__ = ("function", "node", "country", "reason", "count")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    function: str
    node: str
    country: str
    reason: str
    count: int
    def __init__(self, function: _Optional[str] = ..., node: _Optional[str] = ..., country: _Optional[str] = ..., reason: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class RoutingView(_message.Message):
    __slots__ = ("epoch", "zone", "nodes", "functions", "signals", "signals_only")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_ONLY_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    zone: str
    nodes: _containers.RepeatedCompositeFieldContainer[RoutedNode]
    functions: _containers.RepeatedCompositeFieldContainer[RoutedFunction]
    signals: Signals
    signals_only: bool
    def __init__(self, epoch: _Optional[int] = ..., zone: _Optional[str] = ..., nodes: _Optional[_Iterable[_Union[RoutedNode, _Mapping]]] = ..., functions: _Optional[_Iterable[_Union[RoutedFunction, _Mapping]]] = ..., signals: _Optional[_Union[Signals, _Mapping]] = ..., signals_only: _Optional[bool] = ...) -> None: ...

class Signals(_message.Message):
    __slots__ = ("unchanged", "sights", "silent", "loads")
    UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    SIGHTS_FIELD_NUMBER: _ClassVar[int]
    SILENT_FIELD_NUMBER: _ClassVar[int]
    LOADS_FIELD_NUMBER: _ClassVar[int]
    unchanged: bool
    sights: _containers.RepeatedCompositeFieldContainer[RouterSight]
    silent: _containers.RepeatedScalarFieldContainer[str]
    loads: _containers.RepeatedCompositeFieldContainer[NodeLoad]
    def __init__(self, unchanged: _Optional[bool] = ..., sights: _Optional[_Iterable[_Union[RouterSight, _Mapping]]] = ..., silent: _Optional[_Iterable[str]] = ..., loads: _Optional[_Iterable[_Union[NodeLoad, _Mapping]]] = ...) -> None: ...

class RouterSight(_message.Message):
    __slots__ = ("router", "up", "down")
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    UP_FIELD_NUMBER: _ClassVar[int]
    DOWN_FIELD_NUMBER: _ClassVar[int]
    router: str
    up: _containers.RepeatedScalarFieldContainer[str]
    down: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, router: _Optional[str] = ..., up: _Optional[_Iterable[str]] = ..., down: _Optional[_Iterable[str]] = ...) -> None: ...

class NodeLoad(_message.Message):
    __slots__ = ("node", "load")
    NODE_FIELD_NUMBER: _ClassVar[int]
    LOAD_FIELD_NUMBER: _ClassVar[int]
    node: str
    load: float
    def __init__(self, node: _Optional[str] = ..., load: _Optional[float] = ...) -> None: ...

class RoutedNode(_message.Message):
    __slots__ = ("id", "region", "location", "ingress", "draining")
    ID_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    INGRESS_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    id: str
    region: str
    location: _common_pb2.Location
    ingress: _common_pb2.Ingress
    draining: bool
    def __init__(self, id: _Optional[str] = ..., region: _Optional[str] = ..., location: _Optional[_Union[_common_pb2.Location, _Mapping]] = ..., ingress: _Optional[_Union[_common_pb2.Ingress, _Mapping]] = ..., draining: _Optional[bool] = ...) -> None: ...

class RoutedFunction(_message.Message):
    __slots__ = ("name", "hostnames", "nodes", "policy")
    NAME_FIELD_NUMBER: _ClassVar[int]
    HOSTNAMES_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    name: str
    hostnames: _containers.RepeatedScalarFieldContainer[str]
    nodes: _containers.RepeatedScalarFieldContainer[str]
    policy: _common_pb2.RoutingPolicy
    def __init__(self, name: _Optional[str] = ..., hostnames: _Optional[_Iterable[str]] = ..., nodes: _Optional[_Iterable[str]] = ..., policy: _Optional[_Union[_common_pb2.RoutingPolicy, _Mapping]] = ...) -> None: ...
