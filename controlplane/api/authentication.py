"""Authentication and authorization of every call before a byte of it is parsed, and of every message in which a part could speak about another.

A caller on the fleet's address is told by its certificate, one on the API's by its token. What they may do is decided by identity.policy.
"""

import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import lru_cache
from typing import Any, cast

import grpc
from google.protobuf.message import DecodeError

from controlplane.api.connections import API, FLEET, Connections
from controlplane.api.errors import Denied, Exhausted, Unauthenticated
from controlplane.identity import ca, policy
from controlplane.identity.directory import Directory
from controlplane.identity.policy import Decision, Verdict
from controlplane.identity.principal import Anonymous, ApiCaller, PartCaller, Principal
from controlplane.identity.streams import Streams
from nearhop import log
from nearhop.errors import InvalidInput, Violation

_log = log.get(__name__)

MESSAGE_MAX_BYTES = 4 << 20
_BEARER = "bearer "
_TLS_VERSION = b"TLSv1.3"
_CALLER = "nearhop_caller"
_TELL_AGAIN_S = 60.0
_TOLD_MAX = 100


class Authentication(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs only
    """Lets through what the policy allows."""

    def __init__(self, directory: Directory, streams: Streams, trust_domain: str) -> None:
        self._directory = directory
        self._streams = streams
        self.connections = Connections()
        self._told: set[tuple[str, str, str]] = set()
        self._forget_at = 0.0
        self._certified = lru_cache(maxsize=4096)(lambda pem: ca.caller(pem, trust_domain))

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any]]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Any, Any]":
        handler: Any = await continuation(handler_call_details)
        if handler is None:
            return cast("grpc.RpcMethodHandler[Any, Any]", handler)
        return self._guarded(handler, handler_call_details.method)

    def _guarded(self, handler: Any, method: str) -> "grpc.RpcMethodHandler[Any, Any]":
        kind = f"{_arity(handler.request_streaming)}_{_arity(handler.response_streaming)}"
        behavior = getattr(handler, kind)

        async def call(request: Any, context: Any) -> Any:
            caller = await self._admitted(method, context)
            with self._streams.entered(caller):
                return await behavior(*self._screened(caller, method, handler, request, context))

        async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
            caller = await self._admitted(method, context)
            with self._streams.entered(caller):
                async for answer in behavior(*self._screened(caller, method, handler, request, context)):
                    yield answer

        wrapped = stream if inspect.isasyncgenfunction(behavior) else call
        make = getattr(grpc, f"{kind}_rpc_method_handler")
        return cast(
            "grpc.RpcMethodHandler[Any, Any]",
            make(wrapped, None, handler.response_serializer),
        )

    async def _admitted(self, method: str, context: Any) -> Principal:
        caller = await self._caller(context)
        self._enforce(policy.may_call(caller, method), caller, method)
        return caller

    async def _caller(self, context: Any) -> Principal:
        shown = context.auth_context()
        self.connections.call(FLEET if "x509_pem_cert" in shown else API, context.peer())
        if shown.get("ssl_tls_version", [b""])[0] != _TLS_VERSION:
            return Anonymous("TLS 1.3 is needed")
        if certificate := shown.get("x509_pem_cert"):
            return self._part(certificate[0])
        texts = [value for key, value in context.invocation_metadata() or () if key == "authorization"]
        if not texts:
            return Anonymous()
        if len(texts) > 1 or not str(texts[0]).lower().startswith(_BEARER):
            return Anonymous('the metadata "authorization" is not "Bearer <API token>"')
        return await self._directory.authenticate(str(texts[0])[len(_BEARER) :])

    def _part(self, pem: bytes) -> PartCaller | Anonymous:
        try:
            caller: PartCaller = self._certified(pem)
        except InvalidInput as error:
            return Anonymous(f"the certificate names no part of this fleet: {error}")
        reason = self._directory.refusal(caller)
        return Anonymous(reason) if reason else caller

    def _screened(self, caller: Principal, method: str, handler: Any, request: Any, context: Any) -> tuple[Any, Any]:
        """Return the method's arguments, so that it never sees a message which the caller may not send."""

        def check(raw: bytes) -> Any:
            if len(raw) > MESSAGE_MAX_BYTES:
                size = f"the message has {len(raw):,} octets; {MESSAGE_MAX_BYTES:,} are the most"
                raise Exhausted("MESSAGE_TOO_LARGE", size)
            try:
                message = handler.request_deserializer(raw)
            except DecodeError as error:
                raise InvalidInput([Violation("message", f"cannot be read: {error}")]) from error
            self._enforce(policy.may_say(caller, method, message), caller, method)
            return message

        checked = _checked(request, check) if handler.request_streaming else check(request)
        return checked, _Context(context, caller, check)

    def _enforce(self, decision: Decision, caller: Principal, method: str) -> None:
        if decision.verdict is Verdict.ALLOWED:
            return
        self._tell(str(caller), method, decision.reason)
        raise _refusal(decision)

    def _tell(self, caller: str, method: str, reason: str) -> None:
        # Each once in a while: strangers must not fill the log.
        now = time.monotonic()
        if now >= self._forget_at:
            self._told.clear()
            self._forget_at = now + _TELL_AGAIN_S
        if len(self._told) < _TOLD_MAX and (caller, method, reason) not in self._told:
            self._told.add((caller, method, reason))
            _log.warning("call refused", caller=caller, method=method, reason=reason)


def caller_of(context: Any) -> Principal:
    """Return who makes the call."""
    return cast("Principal", getattr(context, _CALLER, Anonymous()))


def actor(context: Any) -> str:
    """Return the name of the API token that makes the call; empty when it is made without one."""
    caller = caller_of(context)
    return caller.name if isinstance(caller, ApiCaller) else ""


async def _checked(requests: Any, check: Callable[[Any], Any]) -> AsyncIterator[Any]:
    async for message in requests:
        yield check(message)


class _Context:
    """A call's context whose messages are checked, and that knows the caller."""

    def __init__(self, context: Any, caller: Principal, check: Callable[[Any], Any]) -> None:
        self._context = context
        self._check = check
        setattr(self, _CALLER, caller)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def read(self) -> Any:
        message = await self._context.read()
        return message if message is grpc.aio.EOF else self._check(message)  # type: ignore[attr-defined]  # missing from the stubs


def _refusal(decision: Decision) -> Denied | Unauthenticated:
    if decision.verdict is Verdict.UNAUTHENTICATED:
        return Unauthenticated("UNAUTHENTICATED", decision.reason)
    return Denied("NOT_ALLOWED", decision.reason)


def _arity(streaming: bool) -> str:
    return "stream" if streaming else "unary"
