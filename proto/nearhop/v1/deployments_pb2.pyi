import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from nearhop.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Deployment(_message.Message):
    __slots__ = ("function", "generation", "shares", "previous", "phase", "reason", "created_at", "ended_at", "nodes", "rollout", "note")
    class Phase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        PHASE_UNSPECIFIED: _ClassVar[Deployment.Phase]
        PHASE_PROGRESSING: _ClassVar[Deployment.Phase]
        PHASE_COMPLETE: _ClassVar[Deployment.Phase]
        PHASE_FAILED: _ClassVar[Deployment.Phase]
        PHASE_PAUSED: _ClassVar[Deployment.Phase]
        PHASE_ROLLED_BACK: _ClassVar[Deployment.Phase]
    PHASE_UNSPECIFIED: Deployment.Phase
    PHASE_PROGRESSING: Deployment.Phase
    PHASE_COMPLETE: Deployment.Phase
    PHASE_FAILED: Deployment.Phase
    PHASE_PAUSED: Deployment.Phase
    PHASE_ROLLED_BACK: Deployment.Phase
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    function: str
    generation: int
    shares: _containers.RepeatedCompositeFieldContainer[_common_pb2.Share]
    previous: _containers.RepeatedCompositeFieldContainer[_common_pb2.Share]
    phase: Deployment.Phase
    reason: str
    created_at: _timestamp_pb2.Timestamp
    ended_at: _timestamp_pb2.Timestamp
    nodes: _containers.RepeatedCompositeFieldContainer[NodeProgress]
    rollout: Rollout
    note: str
    def __init__(self, function: _Optional[str] = ..., generation: _Optional[int] = ..., shares: _Optional[_Iterable[_Union[_common_pb2.Share, _Mapping]]] = ..., previous: _Optional[_Iterable[_Union[_common_pb2.Share, _Mapping]]] = ..., phase: _Optional[_Union[Deployment.Phase, str]] = ..., reason: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ended_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., nodes: _Optional[_Iterable[_Union[NodeProgress, _Mapping]]] = ..., rollout: _Optional[_Union[Rollout, _Mapping]] = ..., note: _Optional[str] = ...) -> None: ...

class Gradual(_message.Message):
    __slots__ = ("steps", "pause_s", "hold", "max_failures")
    STEPS_FIELD_NUMBER: _ClassVar[int]
    PAUSE_S_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    MAX_FAILURES_FIELD_NUMBER: _ClassVar[int]
    steps: _containers.RepeatedScalarFieldContainer[int]
    pause_s: float
    hold: bool
    max_failures: int
    def __init__(self, steps: _Optional[_Iterable[int]] = ..., pause_s: _Optional[float] = ..., hold: _Optional[bool] = ..., max_failures: _Optional[int] = ...) -> None: ...

class Rollout(_message.Message):
    __slots__ = ("version", "gradual", "step", "step_at", "reached_at", "next_at", "failures")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    GRADUAL_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    STEP_AT_FIELD_NUMBER: _ClassVar[int]
    REACHED_AT_FIELD_NUMBER: _ClassVar[int]
    NEXT_AT_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    version: int
    gradual: Gradual
    step: int
    step_at: _timestamp_pb2.Timestamp
    reached_at: _timestamp_pb2.Timestamp
    next_at: _timestamp_pb2.Timestamp
    failures: int
    def __init__(self, version: _Optional[int] = ..., gradual: _Optional[_Union[Gradual, _Mapping]] = ..., step: _Optional[int] = ..., step_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reached_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., next_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., failures: _Optional[int] = ...) -> None: ...

class NodeProgress(_message.Message):
    __slots__ = ("node", "region", "state", "error")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[NodeProgress.State]
        STATE_PENDING: _ClassVar[NodeProgress.State]
        STATE_ACTIVE: _ClassVar[NodeProgress.State]
        STATE_REFUSED: _ClassVar[NodeProgress.State]
        STATE_UNREACHABLE: _ClassVar[NodeProgress.State]
    STATE_UNSPECIFIED: NodeProgress.State
    STATE_PENDING: NodeProgress.State
    STATE_ACTIVE: NodeProgress.State
    STATE_REFUSED: NodeProgress.State
    STATE_UNREACHABLE: NodeProgress.State
    NODE_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    node: str
    region: str
    state: NodeProgress.State
    error: str
    def __init__(self, node: _Optional[str] = ..., region: _Optional[str] = ..., state: _Optional[_Union[NodeProgress.State, str]] = ..., error: _Optional[str] = ...) -> None: ...

class DeployRequest(_message.Message):
    __slots__ = ("request_id", "function", "version", "gradual")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    GRADUAL_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    function: str
    version: int
    gradual: Gradual
    def __init__(self, request_id: _Optional[str] = ..., function: _Optional[str] = ..., version: _Optional[int] = ..., gradual: _Optional[_Union[Gradual, _Mapping]] = ...) -> None: ...

class RollbackRequest(_message.Message):
    __slots__ = ("request_id", "function", "to_version")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    TO_VERSION_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    function: str
    to_version: int
    def __init__(self, request_id: _Optional[str] = ..., function: _Optional[str] = ..., to_version: _Optional[int] = ...) -> None: ...

class ChangeRolloutRequest(_message.Message):
    __slots__ = ("request_id", "function", "change")
    class Change(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CHANGE_UNSPECIFIED: _ClassVar[ChangeRolloutRequest.Change]
        CHANGE_PAUSE: _ClassVar[ChangeRolloutRequest.Change]
        CHANGE_RESUME: _ClassVar[ChangeRolloutRequest.Change]
        CHANGE_PROMOTE: _ClassVar[ChangeRolloutRequest.Change]
        CHANGE_ABORT: _ClassVar[ChangeRolloutRequest.Change]
    CHANGE_UNSPECIFIED: ChangeRolloutRequest.Change
    CHANGE_PAUSE: ChangeRolloutRequest.Change
    CHANGE_RESUME: ChangeRolloutRequest.Change
    CHANGE_PROMOTE: ChangeRolloutRequest.Change
    CHANGE_ABORT: ChangeRolloutRequest.Change
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    function: str
    change: ChangeRolloutRequest.Change
    def __init__(self, request_id: _Optional[str] = ..., function: _Optional[str] = ..., change: _Optional[_Union[ChangeRolloutRequest.Change, str]] = ...) -> None: ...

class GetDeploymentRequest(_message.Message):
    __slots__ = ("function",)
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    function: str
    def __init__(self, function: _Optional[str] = ...) -> None: ...
