import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from nearhop.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Function(_message.Message):
    __slots__ = ("name", "hostnames", "limits", "active_version", "created_at", "revision", "routes", "rate_limit", "routing", "cache_epoch", "shares")
    NAME_FIELD_NUMBER: _ClassVar[int]
    HOSTNAMES_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_VERSION_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    RATE_LIMIT_FIELD_NUMBER: _ClassVar[int]
    ROUTING_FIELD_NUMBER: _ClassVar[int]
    CACHE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    name: str
    hostnames: _containers.RepeatedScalarFieldContainer[str]
    limits: _common_pb2.Limits
    active_version: int
    created_at: _timestamp_pb2.Timestamp
    revision: int
    routes: _containers.RepeatedCompositeFieldContainer[_common_pb2.PathRoute]
    rate_limit: _common_pb2.RateLimit
    routing: _common_pb2.RoutingPolicy
    cache_epoch: int
    shares: _containers.RepeatedCompositeFieldContainer[_common_pb2.Share]
    def __init__(self, name: _Optional[str] = ..., hostnames: _Optional[_Iterable[str]] = ..., limits: _Optional[_Union[_common_pb2.Limits, _Mapping]] = ..., active_version: _Optional[int] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., revision: _Optional[int] = ..., routes: _Optional[_Iterable[_Union[_common_pb2.PathRoute, _Mapping]]] = ..., rate_limit: _Optional[_Union[_common_pb2.RateLimit, _Mapping]] = ..., routing: _Optional[_Union[_common_pb2.RoutingPolicy, _Mapping]] = ..., cache_epoch: _Optional[int] = ..., shares: _Optional[_Iterable[_Union[_common_pb2.Share, _Mapping]]] = ...) -> None: ...

class CreateFunctionRequest(_message.Message):
    __slots__ = ("request_id", "name", "limits", "hostnames", "routes", "rate_limit", "routing")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    HOSTNAMES_FIELD_NUMBER: _ClassVar[int]
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    RATE_LIMIT_FIELD_NUMBER: _ClassVar[int]
    ROUTING_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    name: str
    limits: _common_pb2.Limits
    hostnames: _containers.RepeatedScalarFieldContainer[str]
    routes: _containers.RepeatedCompositeFieldContainer[_common_pb2.PathRoute]
    rate_limit: _common_pb2.RateLimit
    routing: _common_pb2.RoutingPolicy
    def __init__(self, request_id: _Optional[str] = ..., name: _Optional[str] = ..., limits: _Optional[_Union[_common_pb2.Limits, _Mapping]] = ..., hostnames: _Optional[_Iterable[str]] = ..., routes: _Optional[_Iterable[_Union[_common_pb2.PathRoute, _Mapping]]] = ..., rate_limit: _Optional[_Union[_common_pb2.RateLimit, _Mapping]] = ..., routing: _Optional[_Union[_common_pb2.RoutingPolicy, _Mapping]] = ...) -> None: ...

class UpdateFunctionRequest(_message.Message):
    __slots__ = ("request_id", "name", "expected_revision", "limits", "hostnames", "rate_limit", "routing")
    class Hostnames(_message.Message):
        __slots__ = ("hostnames", "routes")
        HOSTNAMES_FIELD_NUMBER: _ClassVar[int]
        ROUTES_FIELD_NUMBER: _ClassVar[int]
        hostnames: _containers.RepeatedScalarFieldContainer[str]
        routes: _containers.RepeatedCompositeFieldContainer[_common_pb2.PathRoute]
        def __init__(self, hostnames: _Optional[_Iterable[str]] = ..., routes: _Optional[_Iterable[_Union[_common_pb2.PathRoute, _Mapping]]] = ...) -> None: ...
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    HOSTNAMES_FIELD_NUMBER: _ClassVar[int]
    RATE_LIMIT_FIELD_NUMBER: _ClassVar[int]
    ROUTING_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    name: str
    expected_revision: int
    limits: _common_pb2.Limits
    hostnames: UpdateFunctionRequest.Hostnames
    rate_limit: _common_pb2.RateLimit
    routing: _common_pb2.RoutingPolicy
    def __init__(self, request_id: _Optional[str] = ..., name: _Optional[str] = ..., expected_revision: _Optional[int] = ..., limits: _Optional[_Union[_common_pb2.Limits, _Mapping]] = ..., hostnames: _Optional[_Union[UpdateFunctionRequest.Hostnames, _Mapping]] = ..., rate_limit: _Optional[_Union[_common_pb2.RateLimit, _Mapping]] = ..., routing: _Optional[_Union[_common_pb2.RoutingPolicy, _Mapping]] = ...) -> None: ...

class PurgeCacheRequest(_message.Message):
    __slots__ = ("request_id", "name")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    name: str
    def __init__(self, request_id: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class PurgeCacheResponse(_message.Message):
    __slots__ = ("cache_epoch",)
    CACHE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    cache_epoch: int
    def __init__(self, cache_epoch: _Optional[int] = ...) -> None: ...

class PutSecretRequest(_message.Message):
    __slots__ = ("request_id", "function", "name", "value")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    function: str
    name: str
    value: str
    def __init__(self, request_id: _Optional[str] = ..., function: _Optional[str] = ..., name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class PutSecretResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DeleteSecretRequest(_message.Message):
    __slots__ = ("request_id", "function", "name")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    function: str
    name: str
    def __init__(self, request_id: _Optional[str] = ..., function: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class DeleteSecretResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListSecretsRequest(_message.Message):
    __slots__ = ("function",)
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    function: str
    def __init__(self, function: _Optional[str] = ...) -> None: ...

class ListSecretsResponse(_message.Message):
    __slots__ = ("names",)
    NAMES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, names: _Optional[_Iterable[str]] = ...) -> None: ...

class TailLogsRequest(_message.Message):
    __slots__ = ("function",)
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    function: str
    def __init__(self, function: _Optional[str] = ...) -> None: ...

class LogEntries(_message.Message):
    __slots__ = ("entries", "missed", "elsewhere")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    ELSEWHERE_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[_common_pb2.LogEntry]
    missed: int
    elsewhere: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, entries: _Optional[_Iterable[_Union[_common_pb2.LogEntry, _Mapping]]] = ..., missed: _Optional[int] = ..., elsewhere: _Optional[_Iterable[str]] = ...) -> None: ...

class GetFunctionRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ListFunctionsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListFunctionsResponse(_message.Message):
    __slots__ = ("functions",)
    FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    functions: _containers.RepeatedCompositeFieldContainer[Function]
    def __init__(self, functions: _Optional[_Iterable[_Union[Function, _Mapping]]] = ...) -> None: ...

class DeleteFunctionRequest(_message.Message):
    __slots__ = ("request_id", "name")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    name: str
    def __init__(self, request_id: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class DeleteFunctionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
