"""Errors -> google.rpc.Status, by one table, in one interceptor round every method."""

import contextlib
import inspect
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn, cast

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2  # type: ignore[import-untyped]

from controlplane.identity import errors as identity_errors
from controlplane.store.errors import Conflict, QuotaExceeded, StoreUnavailable
from nearhop import log
from nearhop.errors import InvalidInput, NearhopError

_log = log.get(__name__)

_DETAILS_KEY = "grpc-status-details-bin"
_IDENTITY: dict[type[identity_errors.IdentityError], tuple[int, str]] = {
    identity_errors.JoinRefused: (code_pb2.PERMISSION_DENIED, "JOIN_REFUSED"),
    identity_errors.AlreadyExists: (code_pb2.ALREADY_EXISTS, "IDENTITY_EXISTS"),
    identity_errors.NotFound: (code_pb2.NOT_FOUND, "IDENTITY_NOT_FOUND"),
    identity_errors.Revoked: (code_pb2.PERMISSION_DENIED, "IDENTITY_REVOKED"),
    identity_errors.Cut: (code_pb2.UNAUTHENTICATED, "IDENTITY_ENDED"),
}


class Refusal(NearhopError):
    """A call that is refused for a reason other than its form. *reason* is UPPER_SNAKE_CASE, for programs."""

    code: int = code_pb2.UNKNOWN

    def __init__(self, reason: str, message: str, **metadata: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.metadata = metadata


class NotFound(Refusal):
    """There is no such thing."""

    code = code_pb2.NOT_FOUND


class AlreadyExists(Refusal):
    """There is one already, made by somebody else."""

    code = code_pb2.ALREADY_EXISTS


class Precondition(Refusal):
    """The call is right, but not now."""

    code = code_pb2.FAILED_PRECONDITION


class OutOfRange(Refusal):
    """What is asked for is no longer there."""

    code = code_pb2.OUT_OF_RANGE


class Exhausted(Refusal):
    """A limit is reached."""

    code = code_pb2.RESOURCE_EXHAUSTED


class Aborted(Refusal):
    """Something else took this call's place."""

    code = code_pb2.ABORTED


class Unavailable(Refusal):
    """Try again later, or elsewhere."""

    code = code_pb2.UNAVAILABLE


class Denied(Refusal):
    """The caller is known, and may not."""

    code = code_pb2.PERMISSION_DENIED


class Unauthenticated(Refusal):
    """The caller has not shown who it is."""

    code = code_pb2.UNAUTHENTICATED


def no_function(name: str) -> NotFound:
    return NotFound("FUNCTION_NOT_FOUND", f"there is no function {name!r}", function=name)


def to_status(error: Exception) -> status_pb2.Status | None:
    """Return the status for *error*, or None for one that nobody foresaw."""
    match error:
        case InvalidInput():
            detail: Any = error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(field=violation.field, description=violation.reason)
                    for violation in error.violations
                ]
            )
            code, message = code_pb2.INVALID_ARGUMENT, str(error)
        case Refusal():
            code, message, detail = error.code, str(error), _info(error.reason, error.metadata)
        case identity_errors.IdentityError():
            code, reason = _IDENTITY[type(error)]
            message, detail = str(error), _info(reason)
        case StoreUnavailable():
            message, detail = f"the store (etcd) is unreachable: {error}", _info("STORE_UNREACHABLE")
            code = code_pb2.UNAVAILABLE
        case Conflict():
            message, detail = "the records kept changing while the call was at work; try again", _info("STORE_CONFLICT")
            code = code_pb2.ABORTED
        case QuotaExceeded():
            code, message, detail = code_pb2.RESOURCE_EXHAUSTED, str(error), _info("BUNDLE_QUOTA_EXCEEDED")
        case _:
            return None
    return _status(code, message, detail)


class ErrorInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs only
    """Wraps all methods so that whatever they raise ends the call with a status. *refused* counts by method, status code and reason."""

    def __init__(self) -> None:
        self.internal_errors = 0
        self.refused: Counter[tuple[str, str, str]] = Counter()

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any]]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Any, Any]":
        handler: Any = await continuation(handler_call_details)  # None when there is no such method
        if handler is None:
            return cast("grpc.RpcMethodHandler[Any, Any]", handler)
        return self._wrapped(handler, handler_call_details.method)

    def _wrapped(self, handler: Any, method: str) -> "grpc.RpcMethodHandler[Any, Any]":
        kind = f"{_arity(handler.request_streaming)}_{_arity(handler.response_streaming)}"
        behavior = getattr(handler, kind)
        make = getattr(grpc, f"{kind}_rpc_method_handler")

        async def call(request: Any, context: Any) -> Any:
            async with self._translating(context, method):
                return await behavior(request, context)

        async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
            async with self._translating(context, method):
                async for answer in behavior(request, context):
                    yield answer

        wrapped = stream if inspect.isasyncgenfunction(behavior) else call
        return cast(
            "grpc.RpcMethodHandler[Any, Any]",
            make(wrapped, handler.request_deserializer, handler.response_serializer),
        )

    @contextlib.asynccontextmanager
    async def _translating(self, context: Any, method: str) -> AsyncIterator[None]:
        try:
            yield
        except grpc.aio.AbortError:
            raise
        except Exception as error:  # noqa: BLE001  # the rim of every call
            cause = _first(error)
            status = to_status(cause)
            if status is None and context.done():
                return  # the client has gone, and writing to it failed
            status = status or self._internal(method, cause)
            self.refused[method, code_pb2.Code.Name(status.code), _reason(status)] += 1
            await _abort(context, status)

    def _internal(self, method: str, error: Exception) -> status_pb2.Status:
        self.internal_errors += 1
        number = secrets.token_hex(4)
        _log.error("a call failed for a reason nobody foresaw", id=number, method=method, exc_info=error)
        message = f"internal error {number}; the control plane's log has its traceback under this number"
        return _status(code_pb2.INTERNAL, message, _info("INTERNAL", {"id": number}))


def _reason(status: status_pb2.Status) -> str:
    info = error_details_pb2.ErrorInfo()
    return info.reason if any(detail.Unpack(info) for detail in status.details) else "INVALID_INPUT"


def _first(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


async def _abort(context: Any, status: status_pb2.Status) -> NoReturn:
    code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
    await context.abort(code, status.message, ((_DETAILS_KEY, status.SerializeToString()),))
    raise AssertionError("abort returned")


def _status(code: int, message: str, detail: Any) -> status_pb2.Status:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return status_pb2.Status(code=code, message=message, details=[packed])


def _info(reason: str, metadata: dict[str, str] | None = None) -> error_details_pb2.ErrorInfo:
    return error_details_pb2.ErrorInfo(reason=reason, domain="nearhop", metadata=metadata or {})


def _arity(streaming: bool) -> str:
    return "stream" if streaming else "unary"
