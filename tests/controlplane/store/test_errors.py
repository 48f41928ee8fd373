import grpc
import pytest

from controlplane.store.errors import (
    LeaseLost,
    StoreError,
    StoreRefused,
    StoreUnavailable,
    TimedOut,
    TooLarge,
    from_grpc,
)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.UNAVAILABLE, StoreUnavailable),
        (grpc.StatusCode.DEADLINE_EXCEEDED, TimedOut),
        (grpc.StatusCode.NOT_FOUND, LeaseLost),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, TooLarge),
        (grpc.StatusCode.INVALID_ARGUMENT, StoreRefused),
    ],
)
def test_codes_become_the_stores_errors(code: grpc.StatusCode, kind: type[StoreError]) -> None:
    metadata = grpc.aio.Metadata()
    error = from_grpc(grpc.aio.AioRpcError(code, metadata, metadata, details="why"), "get")
    assert type(error) is kind
    assert str(error) == f"get: {code.name}: why"
