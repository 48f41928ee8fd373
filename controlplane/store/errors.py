"""What can go wrong between the control plane and etcd: one root, mapped from gRPC codes by one table."""

import grpc

from nearhop.errors import NearhopError


class StoreError(NearhopError):
    """Root of the store's errors."""


class StoreUnavailable(StoreError):
    """etcd cannot be reached, has no leader, or did not answer in time. A write may or may not have happened."""


class TimedOut(StoreUnavailable):
    """The call's whole time went by without an answer."""


class Conflict(StoreError):
    """A transaction's compare did not hold: somebody else has written. Read again and decide again."""


class Deposed(StoreError):
    """A leader's write was refused: it is not the leader any more."""


class LeaseLost(StoreError):
    """The lease has expired or was revoked."""


class TooLarge(StoreError):
    """A request or an answer is larger than the connection carries, or etcd is out of space."""


class QuotaExceeded(StoreError):
    """The bundle store is full."""


class StoreRefused(StoreError):
    """etcd answered with an error that this side should not have caused."""


class CodecError(StoreError):
    """A value in the store is not what its key promises."""


_BY_CODE: dict[grpc.StatusCode, type[StoreError]] = {
    grpc.StatusCode.UNAVAILABLE: StoreUnavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: TimedOut,
    grpc.StatusCode.CANCELLED: StoreUnavailable,
    grpc.StatusCode.UNKNOWN: StoreUnavailable,
    grpc.StatusCode.ABORTED: StoreUnavailable,
    grpc.StatusCode.NOT_FOUND: LeaseLost,
    grpc.StatusCode.RESOURCE_EXHAUSTED: TooLarge,
}


def from_grpc(error: grpc.RpcError, operation: str) -> StoreError:
    """Return the store's error for a gRPC *error* of *operation*."""
    code = error.code()
    return _BY_CODE.get(code, StoreRefused)(f"{operation}: {code.name}: {error.details() or 'no details'}")
