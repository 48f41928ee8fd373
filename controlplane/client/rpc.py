"""The gRPC side of the commands: the channel, the stubs, and what a refused call means for a person.

With several control planes the channel goes to any that answers, and on to another when that one is lost: every mutating call has a request_id and
can be repeated.
"""

import asyncio
import ipaddress
import json
import random
import socket
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # generated, without stubs

from controlplane.client.failure import Exit, Failure
from controlplane.client.target import Target
from nearhop import tls
from nearhop.v1 import (
    deployments_pb2_grpc,
    functions_pb2_grpc,
    identity_pb2_grpc,
    nodes_pb2_grpc,
    routing_pb2_grpc,
    versions_pb2_grpc,
)

# A unary call reads or writes a few records: an answer later than this is no answer.
TIMEOUT_S = 20.0
# A deployment ends by the control plane's own deadline; this bounds a stream whose server hangs.
STREAM_TIMEOUT_S = 600.0

_DETAILS = "grpc-status-details-bin"
_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
)
_RETRYING = (
    "grpc.service_config",
    json.dumps(
        {
            "methodConfig": [
                {
                    "name": [{}],
                    "retryPolicy": {
                        "maxAttempts": 5,  # gRPC's greatest number
                        "initialBackoff": "0.2s",
                        "maxBackoff": "2s",
                        "backoffMultiplier": 2,
                        "retryableStatusCodes": ["UNAVAILABLE"],
                    },
                }
            ]
        }
    ),
)


@dataclass(frozen=True, slots=True)
class Connection:
    """One channel to a control plane and a stub for each service (the async types exist for type checkers only).

    *several* tells that it can go to another control plane.
    """

    endpoint: str
    several: bool
    functions: "functions_pb2_grpc.FunctionsAsyncStub"
    versions: "versions_pb2_grpc.VersionsAsyncStub"
    deployments: "deployments_pb2_grpc.DeploymentsAsyncStub"
    nodes: "nodes_pb2_grpc.NodesAsyncStub"
    routing: "routing_pb2_grpc.RoutingAsyncStub"
    identity: "identity_pb2_grpc.IdentityAsyncStub"
    tokens: "identity_pb2_grpc.TokensAsyncStub"


@asynccontextmanager
async def connect(target: Target) -> AsyncIterator[Connection]:
    """Give a connection to *target*; a call that fails inside leaves as a Failure."""
    endpoint = target.address
    several = len(target.endpoints) > 1
    at = await _any(target.endpoints) if several else target.address
    async with _channel(target, at, (*_OPTIONS, _RETRYING) if several else _OPTIONS) as channel:
        try:
            yield Connection(
                endpoint,
                several,
                functions_pb2_grpc.FunctionsStub(channel),
                versions_pb2_grpc.VersionsStub(channel),
                deployments_pb2_grpc.DeploymentsStub(channel),
                nodes_pb2_grpc.NodesStub(channel),
                routing_pb2_grpc.RoutingStub(channel),
                identity_pb2_grpc.IdentityStub(channel),
                identity_pb2_grpc.TokensStub(channel),
            )
        except grpc.aio.AioRpcError as error:
            raise explain(error, endpoint) from error


def _channel(target: Target, at: str, options: Sequence[tuple[str, object]]) -> grpc.aio.Channel:
    if target.ca is None:
        return grpc.aio.insecure_channel(at, options=options)
    try:
        authorities = target.ca.read_bytes()
        tls.certificates(authorities, str(target.ca))
    except (OSError, tls.CertificateError) as error:
        raise Failure(f"the authority's certificate cannot be read: {error}", status=Exit.USAGE) from error
    return tls.channel(at, authorities=authorities, token=target.token, options=options)


async def _any(endpoints: Sequence[str]) -> str:
    """Return gRPC's name for any of *endpoints*, in random order. Addresses of both families are all written as IPv6 ones."""
    found: list[tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]] = []
    for endpoint in random.sample(endpoints, len(endpoints)):
        host, _, port = endpoint.rpartition(":")
        try:
            infos = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
        except OSError:
            continue  # the others may do; with none of them it is told
        found += [(ipaddress.ip_address(info[4][0]), int(port)) for info in infos]
    if not found:
        raise Failure(f"none of {', '.join(endpoints)} has an address", status=Exit.UNREACHABLE)
    if all(address.version == 4 for address, _ in found):
        return "ipv4:" + ",".join(f"{address}:{port}" for address, port in found)
    mapped = (f"::ffff:{address}" if address.version == 4 else str(address) for address, _ in found)
    return "ipv6:" + ",".join(f"[{address}]:{port}" for address, (_, port) in zip(mapped, found, strict=True))


def request_id() -> str:
    """Return a fresh id for one mutating call."""
    return uuid.uuid4().hex


def explain(error: grpc.aio.AioRpcError, endpoint: str) -> Failure:
    """Say what *error*, from a call to *endpoint*, means and what to do about it."""
    details = error.details() or "it gave no reason"
    reasons = tuple(_violations(error))
    match error.code():
        case grpc.StatusCode.UNAVAILABLE:
            return _unavailable(error, endpoint, details)
        case grpc.StatusCode.UNAUTHENTICATED:
            return Failure(details, do="Give an API token with --token or NEARHOP_TOKEN")
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return Failure(
                f"the control plane at {endpoint} did not answer in time",
                do="Look at its log, or try again",
                status=Exit.UNREACHABLE,
            )
        case grpc.StatusCode.INVALID_ARGUMENT:
            # The sentence of a status with violations only repeats them.
            return Failure(
                "the control plane refused the input", "" if reasons else details, reasons=reasons, status=Exit.USAGE
            )
        case grpc.StatusCode.UNIMPLEMENTED:
            return Failure(
                f"the control plane at {endpoint} does not offer this call",
                do="Is it a Nearhop control plane, of this version?",
            )
        case code:
            return Failure(f"{details.rstrip('.')} ({code.name})", reasons=reasons)


def _unavailable(error: grpc.aio.AioRpcError, endpoint: str, details: str) -> Failure:
    if tls.is_untrusted(error):
        return Failure(
            f"the control plane at {endpoint} is not of the authority that is trusted here",
            details,
            do="Is it the right address, and the right --ca?",
            status=Exit.UNREACHABLE,
        )
    if _status_details(error) is None:
        return Failure(
            f"the control plane at {endpoint} cannot be reached",
            do="Is it running? `nearhop status` tells of the cluster on this machine, `nearhop up` starts one",
            status=Exit.UNREACHABLE,
        )
    return Failure(
        f"the control plane at {endpoint} cannot do this now: UNAVAILABLE",
        details,
        "Functions and DNS go on meanwhile; try again when its store is back",
        status=Exit.UNREACHABLE,
    )


def _status_details(error: grpc.aio.AioRpcError) -> bytes | None:
    """Return the google.rpc.Status that a control plane sends with each refusal; None when gRPC itself made the error."""
    # The stubs know no iteration of aio's Metadata, which is a mapping of several values for a key.
    return cast("Mapping[str, bytes]", error.trailing_metadata()).get(_DETAILS)


def _violations(error: grpc.aio.AioRpcError) -> list[str]:
    details = _status_details(error)
    return [] if details is None else _bad_request(details)


def _bad_request(details: bytes) -> list[str]:
    try:
        status = status_pb2.Status.FromString(details)
    except DecodeError:
        return []  # the plain sentence, which always comes too, has to do
    reasons = []
    for detail in status.details:
        bad_request = error_details_pb2.BadRequest()
        if detail.Unpack(bad_request):
            reasons += [f"{violation.field}: {violation.description}" for violation in bad_request.field_violations]
    return reasons
