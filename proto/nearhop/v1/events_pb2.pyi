import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Event(_message.Message):
    __slots__ = ("id", "time", "kind", "function", "version", "node", "region", "actor", "message")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[Event.Kind]
        KIND_DEPLOY_STARTED: _ClassVar[Event.Kind]
        KIND_DEPLOY_COMPLETE: _ClassVar[Event.Kind]
        KIND_DEPLOY_FAILED: _ClassVar[Event.Kind]
        KIND_NODE_JOINED: _ClassVar[Event.Kind]
        KIND_NODE_CONNECTED: _ClassVar[Event.Kind]
        KIND_NODE_LOST: _ClassVar[Event.Kind]
        KIND_HEALTH_CHANGED: _ClassVar[Event.Kind]
        KIND_NODE_DRAINED: _ClassVar[Event.Kind]
        KIND_NODE_UNCORDONED: _ClassVar[Event.Kind]
        KIND_ROLLBACK: _ClassVar[Event.Kind]
        KIND_FUNCTION_DELETED: _ClassVar[Event.Kind]
    KIND_UNSPECIFIED: Event.Kind
    KIND_DEPLOY_STARTED: Event.Kind
    KIND_DEPLOY_COMPLETE: Event.Kind
    KIND_DEPLOY_FAILED: Event.Kind
    KIND_NODE_JOINED: Event.Kind
    KIND_NODE_CONNECTED: Event.Kind
    KIND_NODE_LOST: Event.Kind
    KIND_HEALTH_CHANGED: Event.Kind
    KIND_NODE_DRAINED: Event.Kind
    KIND_NODE_UNCORDONED: Event.Kind
    KIND_ROLLBACK: Event.Kind
    KIND_FUNCTION_DELETED: Event.Kind
    ID_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    id: int
    time: _timestamp_pb2.Timestamp
    kind: Event.Kind
    function: str
    version: int
    node: str
    region: str
    actor: str
    message: str
    def __init__(self, id: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., kind: _Optional[_Union[Event.Kind, str]] = ..., function: _Optional[str] = ..., version: _Optional[int] = ..., node: _Optional[str] = ..., region: _Optional[str] = ..., actor: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class ListEventsRequest(_message.Message):
    __slots__ = ("limit", "before_id", "function", "node")
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    BEFORE_ID_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    limit: int
    before_id: int
    function: str
    node: str
    def __init__(self, limit: _Optional[int] = ..., before_id: _Optional[int] = ..., function: _Optional[str] = ..., node: _Optional[str] = ...) -> None: ...

class ListEventsResponse(_message.Message):
    __slots__ = ("events", "more")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    more: bool
    def __init__(self, events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., more: _Optional[bool] = ...) -> None: ...

class WatchEventsRequest(_message.Message):
    __slots__ = ("after_id",)
    AFTER_ID_FIELD_NUMBER: _ClassVar[int]
    after_id: int
    def __init__(self, after_id: _Optional[int] = ...) -> None: ...
