import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Dialect(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIALECT_UNSPECIFIED: _ClassVar[Dialect]
    DIALECT_WORKERS: _ClassVar[Dialect]
    DIALECT_DENO: _ClassVar[Dialect]
    DIALECT_VERCEL: _ClassVar[Dialect]
    DIALECT_STATIC: _ClassVar[Dialect]

class BundleKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BUNDLE_KIND_UNSPECIFIED: _ClassVar[BundleKind]
    BUNDLE_KIND_MODULE: _ClassVar[BundleKind]
    BUNDLE_KIND_ASSETS: _ClassVar[BundleKind]
DIALECT_UNSPECIFIED: Dialect
DIALECT_WORKERS: Dialect
DIALECT_DENO: Dialect
DIALECT_VERCEL: Dialect
DIALECT_STATIC: Dialect
BUNDLE_KIND_UNSPECIFIED: BundleKind
BUNDLE_KIND_MODULE: BundleKind
BUNDLE_KIND_ASSETS: BundleKind

class Location(_message.Message):
    __slots__ = ("latitude", "longitude")
    LATITUDE_FIELD_NUMBER: _ClassVar[int]
    LONGITUDE_FIELD_NUMBER: _ClassVar[int]
    latitude: float
    longitude: float
    def __init__(self, latitude: _Optional[float] = ..., longitude: _Optional[float] = ...) -> None: ...

class Ingress(_message.Message):
    __slots__ = ("ipv4", "ipv6", "port")
    IPV4_FIELD_NUMBER: _ClassVar[int]
    IPV6_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    ipv4: _containers.RepeatedScalarFieldContainer[str]
    ipv6: _containers.RepeatedScalarFieldContainer[str]
    port: int
    def __init__(self, ipv4: _Optional[_Iterable[str]] = ..., ipv6: _Optional[_Iterable[str]] = ..., port: _Optional[int] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("cpu_ms", "memory_mib", "wall_ms", "subrequests", "request_body_bytes", "concurrency", "instances")
    CPU_MS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_MIB_FIELD_NUMBER: _ClassVar[int]
    WALL_MS_FIELD_NUMBER: _ClassVar[int]
    SUBREQUESTS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_BODY_BYTES_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    cpu_ms: int
    memory_mib: int
    wall_ms: int
    subrequests: int
    request_body_bytes: int
    concurrency: int
    instances: int
    def __init__(self, cpu_ms: _Optional[int] = ..., memory_mib: _Optional[int] = ..., wall_ms: _Optional[int] = ..., subrequests: _Optional[int] = ..., request_body_bytes: _Optional[int] = ..., concurrency: _Optional[int] = ..., instances: _Optional[int] = ...) -> None: ...

class Share(_message.Message):
    __slots__ = ("version", "percent")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    version: int
    percent: int
    def __init__(self, version: _Optional[int] = ..., percent: _Optional[int] = ...) -> None: ...

class Manifest(_message.Message):
    __slots__ = ("vars", "secrets", "crons", "rate_limiters", "assets", "handlers", "compatibility_date", "compatibility_flags", "matchers", "edge_routes", "version_binding")
    class VarsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    VARS_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    CRONS_FIELD_NUMBER: _ClassVar[int]
    RATE_LIMITERS_FIELD_NUMBER: _ClassVar[int]
    ASSETS_FIELD_NUMBER: _ClassVar[int]
    HANDLERS_FIELD_NUMBER: _ClassVar[int]
    COMPATIBILITY_DATE_FIELD_NUMBER: _ClassVar[int]
    COMPATIBILITY_FLAGS_FIELD_NUMBER: _ClassVar[int]
    MATCHERS_FIELD_NUMBER: _ClassVar[int]
    EDGE_ROUTES_FIELD_NUMBER: _ClassVar[int]
    VERSION_BINDING_FIELD_NUMBER: _ClassVar[int]
    vars: _containers.ScalarMap[str, str]
    secrets: _containers.RepeatedScalarFieldContainer[str]
    crons: _containers.RepeatedScalarFieldContainer[str]
    rate_limiters: _containers.RepeatedCompositeFieldContainer[RateLimiter]
    assets: Assets
    handlers: _containers.RepeatedScalarFieldContainer[str]
    compatibility_date: str
    compatibility_flags: _containers.RepeatedScalarFieldContainer[str]
    matchers: _containers.RepeatedScalarFieldContainer[str]
    edge_routes: _containers.RepeatedCompositeFieldContainer[EdgeRoute]
    version_binding: str
    def __init__(self, vars: _Optional[_Mapping[str, str]] = ..., secrets: _Optional[_Iterable[str]] = ..., crons: _Optional[_Iterable[str]] = ..., rate_limiters: _Optional[_Iterable[_Union[RateLimiter, _Mapping]]] = ..., assets: _Optional[_Union[Assets, _Mapping]] = ..., handlers: _Optional[_Iterable[str]] = ..., compatibility_date: _Optional[str] = ..., compatibility_flags: _Optional[_Iterable[str]] = ..., matchers: _Optional[_Iterable[str]] = ..., edge_routes: _Optional[_Iterable[_Union[EdgeRoute, _Mapping]]] = ..., version_binding: _Optional[str] = ...) -> None: ...

class RateLimiter(_message.Message):
    __slots__ = ("name", "limit", "period_s")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    PERIOD_S_FIELD_NUMBER: _ClassVar[int]
    name: str
    limit: int
    period_s: int
    def __init__(self, name: _Optional[str] = ..., limit: _Optional[int] = ..., period_s: _Optional[int] = ...) -> None: ...

class EdgeRoute(_message.Message):
    __slots__ = ("path", "export")
    PATH_FIELD_NUMBER: _ClassVar[int]
    EXPORT_FIELD_NUMBER: _ClassVar[int]
    path: str
    export: str
    def __init__(self, path: _Optional[str] = ..., export: _Optional[str] = ...) -> None: ...

class LogEntry(_message.Message):
    __slots__ = ("at", "node", "function", "version", "level", "message", "reason")
    AT_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    at: _timestamp_pb2.Timestamp
    node: str
    function: str
    version: int
    level: str
    message: str
    reason: str
    def __init__(self, at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., node: _Optional[str] = ..., function: _Optional[str] = ..., version: _Optional[int] = ..., level: _Optional[str] = ..., message: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Assets(_message.Message):
    __slots__ = ("digest", "size_bytes", "binding", "html_handling", "not_found_handling", "program_first", "program_first_paths")
    class HtmlHandling(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        HTML_HANDLING_UNSPECIFIED: _ClassVar[Assets.HtmlHandling]
        HTML_HANDLING_AUTO_TRAILING_SLASH: _ClassVar[Assets.HtmlHandling]
        HTML_HANDLING_FORCE_TRAILING_SLASH: _ClassVar[Assets.HtmlHandling]
        HTML_HANDLING_DROP_TRAILING_SLASH: _ClassVar[Assets.HtmlHandling]
        HTML_HANDLING_NONE: _ClassVar[Assets.HtmlHandling]
    HTML_HANDLING_UNSPECIFIED: Assets.HtmlHandling
    HTML_HANDLING_AUTO_TRAILING_SLASH: Assets.HtmlHandling
    HTML_HANDLING_FORCE_TRAILING_SLASH: Assets.HtmlHandling
    HTML_HANDLING_DROP_TRAILING_SLASH: Assets.HtmlHandling
    HTML_HANDLING_NONE: Assets.HtmlHandling
    class NotFoundHandling(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        NOT_FOUND_HANDLING_UNSPECIFIED: _ClassVar[Assets.NotFoundHandling]
        NOT_FOUND_HANDLING_NONE: _ClassVar[Assets.NotFoundHandling]
        NOT_FOUND_HANDLING_404_PAGE: _ClassVar[Assets.NotFoundHandling]
        NOT_FOUND_HANDLING_SINGLE_PAGE_APPLICATION: _ClassVar[Assets.NotFoundHandling]
    NOT_FOUND_HANDLING_UNSPECIFIED: Assets.NotFoundHandling
    NOT_FOUND_HANDLING_NONE: Assets.NotFoundHandling
    NOT_FOUND_HANDLING_404_PAGE: Assets.NotFoundHandling
    NOT_FOUND_HANDLING_SINGLE_PAGE_APPLICATION: Assets.NotFoundHandling
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    BINDING_FIELD_NUMBER: _ClassVar[int]
    HTML_HANDLING_FIELD_NUMBER: _ClassVar[int]
    NOT_FOUND_HANDLING_FIELD_NUMBER: _ClassVar[int]
    PROGRAM_FIRST_FIELD_NUMBER: _ClassVar[int]
    PROGRAM_FIRST_PATHS_FIELD_NUMBER: _ClassVar[int]
    digest: str
    size_bytes: int
    binding: str
    html_handling: Assets.HtmlHandling
    not_found_handling: Assets.NotFoundHandling
    program_first: bool
    program_first_paths: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, digest: _Optional[str] = ..., size_bytes: _Optional[int] = ..., binding: _Optional[str] = ..., html_handling: _Optional[_Union[Assets.HtmlHandling, str]] = ..., not_found_handling: _Optional[_Union[Assets.NotFoundHandling, str]] = ..., program_first: _Optional[bool] = ..., program_first_paths: _Optional[_Iterable[str]] = ...) -> None: ...

class PathRoute(_message.Message):
    __slots__ = ("hostname", "path")
    HOSTNAME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    hostname: str
    path: str
    def __init__(self, hostname: _Optional[str] = ..., path: _Optional[str] = ...) -> None: ...

class RateLimit(_message.Message):
    __slots__ = ("requests", "period_s")
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    PERIOD_S_FIELD_NUMBER: _ClassVar[int]
    requests: int
    period_s: int
    def __init__(self, requests: _Optional[int] = ..., period_s: _Optional[int] = ...) -> None: ...

class RoutingPolicy(_message.Message):
    __slots__ = ("kind", "regions", "weights", "allowed_regions", "denied_regions", "answers", "default_location")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[RoutingPolicy.Kind]
        KIND_NEAREST: _ClassVar[RoutingPolicy.Kind]
        KIND_FAILOVER: _ClassVar[RoutingPolicy.Kind]
        KIND_WEIGHTED: _ClassVar[RoutingPolicy.Kind]
    KIND_UNSPECIFIED: RoutingPolicy.Kind
    KIND_NEAREST: RoutingPolicy.Kind
    KIND_FAILOVER: RoutingPolicy.Kind
    KIND_WEIGHTED: RoutingPolicy.Kind
    class WeightsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    KIND_FIELD_NUMBER: _ClassVar[int]
    REGIONS_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_REGIONS_FIELD_NUMBER: _ClassVar[int]
    DENIED_REGIONS_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_LOCATION_FIELD_NUMBER: _ClassVar[int]
    kind: RoutingPolicy.Kind
    regions: _containers.RepeatedScalarFieldContainer[str]
    weights: _containers.ScalarMap[str, int]
    allowed_regions: _containers.RepeatedScalarFieldContainer[str]
    denied_regions: _containers.RepeatedScalarFieldContainer[str]
    answers: int
    default_location: Location
    def __init__(self, kind: _Optional[_Union[RoutingPolicy.Kind, str]] = ..., regions: _Optional[_Iterable[str]] = ..., weights: _Optional[_Mapping[str, int]] = ..., allowed_regions: _Optional[_Iterable[str]] = ..., denied_regions: _Optional[_Iterable[str]] = ..., answers: _Optional[int] = ..., default_location: _Optional[_Union[Location, _Mapping]] = ...) -> None: ...
