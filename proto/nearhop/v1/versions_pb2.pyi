import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from nearhop.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Version(_message.Message):
    __slots__ = ("function", "number", "digest", "size_bytes", "dialect", "entrypoint", "author", "message", "created_at", "manifest")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    DIALECT_FIELD_NUMBER: _ClassVar[int]
    ENTRYPOINT_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    function: str
    number: int
    digest: str
    size_bytes: int
    dialect: _common_pb2.Dialect
    entrypoint: str
    author: str
    message: str
    created_at: _timestamp_pb2.Timestamp
    manifest: _common_pb2.Manifest
    def __init__(self, function: _Optional[str] = ..., number: _Optional[int] = ..., digest: _Optional[str] = ..., size_bytes: _Optional[int] = ..., dialect: _Optional[_Union[_common_pb2.Dialect, str]] = ..., entrypoint: _Optional[str] = ..., author: _Optional[str] = ..., message: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., manifest: _Optional[_Union[_common_pb2.Manifest, _Mapping]] = ...) -> None: ...

class StatBundleRequest(_message.Message):
    __slots__ = ("digest",)
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    digest: str
    def __init__(self, digest: _Optional[str] = ...) -> None: ...

class StatBundleResponse(_message.Message):
    __slots__ = ("stored", "size_bytes")
    STORED_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    stored: bool
    size_bytes: int
    def __init__(self, stored: _Optional[bool] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class UploadBundleRequest(_message.Message):
    __slots__ = ("header", "chunk")
    class Header(_message.Message):
        __slots__ = ("digest", "size_bytes", "kind")
        DIGEST_FIELD_NUMBER: _ClassVar[int]
        SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
        KIND_FIELD_NUMBER: _ClassVar[int]
        digest: str
        size_bytes: int
        kind: _common_pb2.BundleKind
        def __init__(self, digest: _Optional[str] = ..., size_bytes: _Optional[int] = ..., kind: _Optional[_Union[_common_pb2.BundleKind, str]] = ...) -> None: ...
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    header: UploadBundleRequest.Header
    chunk: bytes
    def __init__(self, header: _Optional[_Union[UploadBundleRequest.Header, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class UploadBundleResponse(_message.Message):
    __slots__ = ("digest", "size_bytes")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    digest: str
    size_bytes: int
    def __init__(self, digest: _Optional[str] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class CreateVersionRequest(_message.Message):
    __slots__ = ("request_id", "function", "digest", "dialect", "entrypoint", "author", "message", "manifest")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    DIALECT_FIELD_NUMBER: _ClassVar[int]
    ENTRYPOINT_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    function: str
    digest: str
    dialect: _common_pb2.Dialect
    entrypoint: str
    author: str
    message: str
    manifest: _common_pb2.Manifest
    def __init__(self, request_id: _Optional[str] = ..., function: _Optional[str] = ..., digest: _Optional[str] = ..., dialect: _Optional[_Union[_common_pb2.Dialect, str]] = ..., entrypoint: _Optional[str] = ..., author: _Optional[str] = ..., message: _Optional[str] = ..., manifest: _Optional[_Union[_common_pb2.Manifest, _Mapping]] = ...) -> None: ...

class GetVersionRequest(_message.Message):
    __slots__ = ("function", "number")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    function: str
    number: int
    def __init__(self, function: _Optional[str] = ..., number: _Optional[int] = ...) -> None: ...

class ListVersionsRequest(_message.Message):
    __slots__ = ("function",)
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    function: str
    def __init__(self, function: _Optional[str] = ...) -> None: ...

class ListVersionsResponse(_message.Message):
    __slots__ = ("versions",)
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedCompositeFieldContainer[Version]
    def __init__(self, versions: _Optional[_Iterable[_Union[Version, _Mapping]]] = ...) -> None: ...
