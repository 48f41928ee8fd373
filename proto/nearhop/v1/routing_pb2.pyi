from nearhop.v1 import common_pb2 as _common_pb2
from nearhop.v1 import nodes_pb2 as _nodes_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExplainRequest(_message.Message):
    __slots__ = ("ip", "function", "router", "location", "country", "resolver")
    IP_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_FIELD_NUMBER: _ClassVar[int]
    RESOLVER_FIELD_NUMBER: _ClassVar[int]
    ip: str
    function: str
    router: str
    location: _common_pb2.Location
    country: str
    resolver: str
    def __init__(self, ip: _Optional[str] = ..., function: _Optional[str] = ..., router: _Optional[str] = ..., location: _Optional[_Union[_common_pb2.Location, _Mapping]] = ..., country: _Optional[str] = ..., resolver: _Optional[str] = ...) -> None: ...

class ExplainResponse(_message.Message):
    __slots__ = ("client", "candidates", "answers", "ttl_s", "scope_prefix_length", "reason")
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    TTL_S_FIELD_NUMBER: _ClassVar[int]
    SCOPE_PREFIX_LENGTH_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    client: ClientLocation
    candidates: _containers.RepeatedCompositeFieldContainer[Candidate]
    answers: _containers.RepeatedScalarFieldContainer[str]
    ttl_s: int
    scope_prefix_length: int
    reason: str
    def __init__(self, client: _Optional[_Union[ClientLocation, _Mapping]] = ..., candidates: _Optional[_Iterable[_Union[Candidate, _Mapping]]] = ..., answers: _Optional[_Iterable[str]] = ..., ttl_s: _Optional[int] = ..., scope_prefix_length: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class ClientLocation(_message.Message):
    __slots__ = ("ip", "network", "source", "location", "country", "city", "asn")
    IP_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_FIELD_NUMBER: _ClassVar[int]
    CITY_FIELD_NUMBER: _ClassVar[int]
    ASN_FIELD_NUMBER: _ClassVar[int]
    ip: str
    network: str
    source: str
    location: _common_pb2.Location
    country: str
    city: str
    asn: int
    def __init__(self, ip: _Optional[str] = ..., network: _Optional[str] = ..., source: _Optional[str] = ..., location: _Optional[_Union[_common_pb2.Location, _Mapping]] = ..., country: _Optional[str] = ..., city: _Optional[str] = ..., asn: _Optional[int] = ...) -> None: ...

class Candidate(_message.Message):
    __slots__ = ("node", "region", "distance_km", "chosen", "eligible", "reason", "verdict", "load")
    NODE_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    DISTANCE_KM_FIELD_NUMBER: _ClassVar[int]
    CHOSEN_FIELD_NUMBER: _ClassVar[int]
    ELIGIBLE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    LOAD_FIELD_NUMBER: _ClassVar[int]
    node: str
    region: str
    distance_km: float
    chosen: bool
    eligible: bool
    reason: str
    verdict: _nodes_pb2.Witness.Verdict
    load: float
    def __init__(self, node: _Optional[str] = ..., region: _Optional[str] = ..., distance_km: _Optional[float] = ..., chosen: _Optional[bool] = ..., eligible: _Optional[bool] = ..., reason: _Optional[str] = ..., verdict: _Optional[_Union[_nodes_pb2.Witness.Verdict, str]] = ..., load: _Optional[float] = ...) -> None: ...

class SimulateRequest(_message.Message):
    __slots__ = ("function", "sample", "drain", "router", "seed")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    ROUTER_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    function: str
    sample: int
    drain: str
    router: str
    seed: int
    def __init__(self, function: _Optional[str] = ..., sample: _Optional[int] = ..., drain: _Optional[str] = ..., router: _Optional[str] = ..., seed: _Optional[int] = ...) -> None: ...

class SimulateResponse(_message.Message):
    __slots__ = ("sample", "now", "drained", "moved")
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    NOW_FIELD_NUMBER: _ClassVar[int]
    DRAINED_FIELD_NUMBER: _ClassVar[int]
    MOVED_FIELD_NUMBER: _ClassVar[int]
    sample: int
    now: Distribution
    drained: Distribution
    moved: float
    def __init__(self, sample: _Optional[int] = ..., now: _Optional[_Union[Distribution, _Mapping]] = ..., drained: _Optional[_Union[Distribution, _Mapping]] = ..., moved: _Optional[float] = ...) -> None: ...

class Distribution(_message.Message):
    __slots__ = ("nodes", "median_km", "p95_km", "unlocated", "unanswered")
    NODES_FIELD_NUMBER: _ClassVar[int]
    MEDIAN_KM_FIELD_NUMBER: _ClassVar[int]
    P95_KM_FIELD_NUMBER: _ClassVar[int]
    UNLOCATED_FIELD_NUMBER: _ClassVar[int]
    UNANSWERED_FIELD_NUMBER: _ClassVar[int]
    nodes: _containers.RepeatedCompositeFieldContainer[NodeShare]
    median_km: float
    p95_km: float
    unlocated: float
    unanswered: float
    def __init__(self, nodes: _Optional[_Iterable[_Union[NodeShare, _Mapping]]] = ..., median_km: _Optional[float] = ..., p95_km: _Optional[float] = ..., unlocated: _Optional[float] = ..., unanswered: _Optional[float] = ...) -> None: ...

class NodeShare(_message.Message):
    __slots__ = ("node", "region", "share", "median_km", "p95_km")
    NODE_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    MEDIAN_KM_FIELD_NUMBER: _ClassVar[int]
    P95_KM_FIELD_NUMBER: _ClassVar[int]
    node: str
    region: str
    share: float
    median_km: float
    p95_km: float
    def __init__(self, node: _Optional[str] = ..., region: _Optional[str] = ..., share: _Optional[float] = ..., median_km: _Optional[float] = ..., p95_km: _Optional[float] = ...) -> None: ...

class ListRoutersRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListRoutersResponse(_message.Message):
    __slots__ = ("routers",)
    ROUTERS_FIELD_NUMBER: _ClassVar[int]
    routers: _containers.RepeatedCompositeFieldContainer[Router]
    def __init__(self, routers: _Optional[_Iterable[_Union[Router, _Mapping]]] = ...) -> None: ...

class Router(_message.Message):
    __slots__ = ("id", "dns", "http", "epoch", "zone", "verdicts")
    ID_FIELD_NUMBER: _ClassVar[int]
    DNS_FIELD_NUMBER: _ClassVar[int]
    HTTP_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    id: str
    dns: str
    http: str
    epoch: int
    zone: str
    verdicts: _containers.RepeatedCompositeFieldContainer[_nodes_pb2.Witness]
    def __init__(self, id: _Optional[str] = ..., dns: _Optional[str] = ..., http: _Optional[str] = ..., epoch: _Optional[int] = ..., zone: _Optional[str] = ..., verdicts: _Optional[_Iterable[_Union[_nodes_pb2.Witness, _Mapping]]] = ...) -> None: ...

class WatchFlowsRequest(_message.Message):
    __slots__ = ("interval_s", "function")
    INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    interval_s: float
    function: str
    def __init__(self, interval_s: _Optional[float] = ..., function: _Optional[str] = ...) -> None: ...

class Flows(_message.Message):
    __slots__ = ("window_s", "flows", "other_answers_per_s")
    WINDOW_S_FIELD_NUMBER: _ClassVar[int]
    FLOWS_FIELD_NUMBER: _ClassVar[int]
    OTHER_ANSWERS_PER_S_FIELD_NUMBER: _ClassVar[int]
    window_s: float
    flows: _containers.RepeatedCompositeFieldContainer[Flow]
    other_answers_per_s: float
    def __init__(self, window_s: _Optional[float] = ..., flows: _Optional[_Iterable[_Union[Flow, _Mapping]]] = ..., other_answers_per_s: _Optional[float] = ...) -> None: ...

class Flow(_message.Message):
    __slots__ = ("country", "node", "function", "answers_per_s")
    COUNTRY_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_PER_S_FIELD_NUMBER: _ClassVar[int]
    country: str
    node: str
    function: str
    answers_per_s: float
    def __init__(self, country: _Optional[str] = ..., node: _Optional[str] = ..., function: _Optional[str] = ..., answers_per_s: _Optional[float] = ...) -> None: ...
