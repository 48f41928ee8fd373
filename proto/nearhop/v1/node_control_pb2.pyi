from nearhop.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class NodeMessage(_message.Message):
    __slots__ = ("hello", "report", "bundle_request", "log", "scheduled_result")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_REQUEST_FIELD_NUMBER: _ClassVar[int]
    LOG_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_RESULT_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    report: NodeReport
    bundle_request: BundleRequest
    log: NodeLog
    scheduled_result: ScheduledResult
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., report: _Optional[_Union[NodeReport, _Mapping]] = ..., bundle_request: _Optional[_Union[BundleRequest, _Mapping]] = ..., log: _Optional[_Union[NodeLog, _Mapping]] = ..., scheduled_result: _Optional[_Union[ScheduledResult, _Mapping]] = ...) -> None: ...

class NodeInstruction(_message.Message):
    __slots__ = ("welcome", "snapshot", "bundle_chunk", "bundle_refusal", "scheduled", "log_interest")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_CHUNK_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_REFUSAL_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_FIELD_NUMBER: _ClassVar[int]
    LOG_INTEREST_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    snapshot: Snapshot
    bundle_chunk: BundleChunk
    bundle_refusal: BundleRefusal
    scheduled: ScheduledEvent
    log_interest: LogInterest
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., snapshot: _Optional[_Union[Snapshot, _Mapping]] = ..., bundle_chunk: _Optional[_Union[BundleChunk, _Mapping]] = ..., bundle_refusal: _Optional[_Union[BundleRefusal, _Mapping]] = ..., scheduled: _Optional[_Union[ScheduledEvent, _Mapping]] = ..., log_interest: _Optional[_Union[LogInterest, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("node", "region", "site", "location", "ingress", "snapshot_revision", "agent_version", "instance")
    NODE_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    SITE_FIELD_NUMBER: _ClassVar[int]
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    INGRESS_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_REVISION_FIELD_NUMBER: _ClassVar[int]
    AGENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    node: str
    region: str
    site: str
    location: _common_pb2.Location
    ingress: _common_pb2.Ingress
    snapshot_revision: int
    agent_version: str
    instance: str
    def __init__(self, node: _Optional[str] = ..., region: _Optional[str] = ..., site: _Optional[str] = ..., location: _Optional[_Union[_common_pb2.Location, _Mapping]] = ..., ingress: _Optional[_Union[_common_pb2.Ingress, _Mapping]] = ..., snapshot_revision: _Optional[int] = ..., agent_version: _Optional[str] = ..., instance: _Optional[str] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("session", "heartbeat_interval_s", "lease_ttl_s")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    LEASE_TTL_S_FIELD_NUMBER: _ClassVar[int]
    session: str
    heartbeat_interval_s: float
    lease_ttl_s: float
    def __init__(self, session: _Optional[str] = ..., heartbeat_interval_s: _Optional[float] = ..., lease_ttl_s: _Optional[float] = ...) -> None: ...

class Snapshot(_message.Message):
    __slots__ = ("revision", "zone", "draining", "placements")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    PLACEMENTS_FIELD_NUMBER: _ClassVar[int]
    revision: int
    zone: str
    draining: bool
    placements: _containers.RepeatedCompositeFieldContainer[Placement]
    def __init__(self, revision: _Optional[int] = ..., zone: _Optional[str] = ..., draining: _Optional[bool] = ..., placements: _Optional[_Iterable[_Union[Placement, _Mapping]]] = ...) -> None: ...

class Placement(_message.Message):
    __slots__ = ("function", "generation", "hostnames", "limits", "versions", "routes", "rate_limit", "cache_epoch", "secrets")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    HOSTNAMES_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    RATE_LIMIT_FIELD_NUMBER: _ClassVar[int]
    CACHE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    function: str
    generation: int
    hostnames: _containers.RepeatedScalarFieldContainer[str]
    limits: _common_pb2.Limits
    versions: _containers.RepeatedCompositeFieldContainer[PlacedVersion]
    routes: _containers.RepeatedCompositeFieldContainer[_common_pb2.PathRoute]
    rate_limit: _common_pb2.RateLimit
    cache_epoch: int
    secrets: _containers.RepeatedCompositeFieldContainer[Secret]
    def __init__(self, function: _Optional[str] = ..., generation: _Optional[int] = ..., hostnames: _Optional[_Iterable[str]] = ..., limits: _Optional[_Union[_common_pb2.Limits, _Mapping]] = ..., versions: _Optional[_Iterable[_Union[PlacedVersion, _Mapping]]] = ..., routes: _Optional[_Iterable[_Union[_common_pb2.PathRoute, _Mapping]]] = ..., rate_limit: _Optional[_Union[_common_pb2.RateLimit, _Mapping]] = ..., cache_epoch: _Optional[int] = ..., secrets: _Optional[_Iterable[_Union[Secret, _Mapping]]] = ...) -> None: ...

class Secret(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class ScheduledEvent(_message.Message):
    __slots__ = ("id", "function", "version", "cron", "scheduled_at")
    ID_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CRON_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_AT_FIELD_NUMBER: _ClassVar[int]
    id: str
    function: str
    version: int
    cron: str
    scheduled_at: float
    def __init__(self, id: _Optional[str] = ..., function: _Optional[str] = ..., version: _Optional[int] = ..., cron: _Optional[str] = ..., scheduled_at: _Optional[float] = ...) -> None: ...

class ScheduledResult(_message.Message):
    __slots__ = ("id", "error")
    ID_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    id: str
    error: str
    def __init__(self, id: _Optional[str] = ..., error: _Optional[str] = ...) -> None: ...

class LogInterest(_message.Message):
    __slots__ = ("functions",)
    FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    functions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, functions: _Optional[_Iterable[str]] = ...) -> None: ...

class NodeLog(_message.Message):
    __slots__ = ("entries", "missed")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[_common_pb2.LogEntry]
    missed: int
    def __init__(self, entries: _Optional[_Iterable[_Union[_common_pb2.LogEntry, _Mapping]]] = ..., missed: _Optional[int] = ...) -> None: ...

class PlacedVersion(_message.Message):
    __slots__ = ("number", "digest", "size_bytes", "dialect", "percent", "manifest", "created_at")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    DIALECT_FIELD_NUMBER: _ClassVar[int]
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    number: int
    digest: str
    size_bytes: int
    dialect: _common_pb2.Dialect
    percent: int
    manifest: _common_pb2.Manifest
    created_at: float
    def __init__(self, number: _Optional[int] = ..., digest: _Optional[str] = ..., size_bytes: _Optional[int] = ..., dialect: _Optional[_Union[_common_pb2.Dialect, str]] = ..., percent: _Optional[int] = ..., manifest: _Optional[_Union[_common_pb2.Manifest, _Mapping]] = ..., created_at: _Optional[float] = ...) -> None: ...

class BundleRequest(_message.Message):
    __slots__ = ("digest",)
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    digest: str
    def __init__(self, digest: _Optional[str] = ...) -> None: ...

class BundleChunk(_message.Message):
    __slots__ = ("digest", "offset", "data", "last")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    digest: str
    offset: int
    data: bytes
    last: bool
    def __init__(self, digest: _Optional[str] = ..., offset: _Optional[int] = ..., data: _Optional[bytes] = ..., last: _Optional[bool] = ...) -> None: ...

class BundleRefusal(_message.Message):
    __slots__ = ("digest", "reason")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    digest: str
    reason: str
    def __init__(self, digest: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class NodeReport(_message.Message):
    __slots__ = ("snapshot_revision", "placements", "sandboxes", "load_1m", "cpus", "memory_available_bytes", "isolation", "deno_version", "haproxy_version", "ingress_ready", "load_limit")
    SNAPSHOT_REVISION_FIELD_NUMBER: _ClassVar[int]
    PLACEMENTS_FIELD_NUMBER: _ClassVar[int]
    SANDBOXES_FIELD_NUMBER: _ClassVar[int]
    LOAD_1M_FIELD_NUMBER: _ClassVar[int]
    CPUS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_AVAILABLE_BYTES_FIELD_NUMBER: _ClassVar[int]
    ISOLATION_FIELD_NUMBER: _ClassVar[int]
    DENO_VERSION_FIELD_NUMBER: _ClassVar[int]
    HAPROXY_VERSION_FIELD_NUMBER: _ClassVar[int]
    INGRESS_READY_FIELD_NUMBER: _ClassVar[int]
    LOAD_LIMIT_FIELD_NUMBER: _ClassVar[int]
    snapshot_revision: int
    placements: _containers.RepeatedCompositeFieldContainer[PlacementStatus]
    sandboxes: _containers.RepeatedCompositeFieldContainer[SandboxStatus]
    load_1m: float
    cpus: int
    memory_available_bytes: int
    isolation: str
    deno_version: str
    haproxy_version: str
    ingress_ready: bool
    load_limit: float
    def __init__(self, snapshot_revision: _Optional[int] = ..., placements: _Optional[_Iterable[_Union[PlacementStatus, _Mapping]]] = ..., sandboxes: _Optional[_Iterable[_Union[SandboxStatus, _Mapping]]] = ..., load_1m: _Optional[float] = ..., cpus: _Optional[int] = ..., memory_available_bytes: _Optional[int] = ..., isolation: _Optional[str] = ..., deno_version: _Optional[str] = ..., haproxy_version: _Optional[str] = ..., ingress_ready: _Optional[bool] = ..., load_limit: _Optional[float] = ...) -> None: ...

class PlacementStatus(_message.Message):
    __slots__ = ("function", "generation", "state", "active_version", "error", "overruns", "breaker_open", "versions")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[PlacementStatus.State]
        STATE_PENDING: _ClassVar[PlacementStatus.State]
        STATE_ACTIVE: _ClassVar[PlacementStatus.State]
        STATE_REFUSED: _ClassVar[PlacementStatus.State]
    STATE_UNSPECIFIED: PlacementStatus.State
    STATE_PENDING: PlacementStatus.State
    STATE_ACTIVE: PlacementStatus.State
    STATE_REFUSED: PlacementStatus.State
    class OverrunsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_VERSION_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    OVERRUNS_FIELD_NUMBER: _ClassVar[int]
    BREAKER_OPEN_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    function: str
    generation: int
    state: PlacementStatus.State
    active_version: int
    error: str
    overruns: _containers.ScalarMap[str, int]
    breaker_open: bool
    versions: _containers.RepeatedCompositeFieldContainer[VersionStatus]
    def __init__(self, function: _Optional[str] = ..., generation: _Optional[int] = ..., state: _Optional[_Union[PlacementStatus.State, str]] = ..., active_version: _Optional[int] = ..., error: _Optional[str] = ..., overruns: _Optional[_Mapping[str, int]] = ..., breaker_open: _Optional[bool] = ..., versions: _Optional[_Iterable[_Union[VersionStatus, _Mapping]]] = ...) -> None: ...

class VersionStatus(_message.Message):
    __slots__ = ("number", "failures", "breaker_open")
    class FailuresEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    BREAKER_OPEN_FIELD_NUMBER: _ClassVar[int]
    number: int
    failures: _containers.ScalarMap[str, int]
    breaker_open: bool
    def __init__(self, number: _Optional[int] = ..., failures: _Optional[_Mapping[str, int]] = ..., breaker_open: _Optional[bool] = ...) -> None: ...

class SandboxStatus(_message.Message):
    __slots__ = ("function", "version", "state", "memory_bytes", "cpu_s", "requests", "terminations", "last_termination")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    CPU_S_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    TERMINATIONS_FIELD_NUMBER: _ClassVar[int]
    LAST_TERMINATION_FIELD_NUMBER: _ClassVar[int]
    function: str
    version: int
    state: str
    memory_bytes: int
    cpu_s: float
    requests: int
    terminations: int
    last_termination: str
    def __init__(self, function: _Optional[str] = ..., version: _Optional[int] = ..., state: _Optional[str] = ..., memory_bytes: _Optional[int] = ..., cpu_s: _Optional[float] = ..., requests: _Optional[int] = ..., terminations: _Optional[int] = ..., last_termination: _Optional[str] = ...) -> None: ...
