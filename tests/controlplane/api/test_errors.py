import pytest
from google.rpc import code_pb2, error_details_pb2

from controlplane.api.errors import Aborted, AlreadyExists, Exhausted, NotFound, Precondition, Unavailable, to_status
from controlplane.store.errors import Conflict, QuotaExceeded, StoreRefused, StoreUnavailable
from nearhop.errors import EngineMissing, InvalidInput, Violation


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (NotFound("X_NOT_FOUND", "m", x="1"), code_pb2.NOT_FOUND, "X_NOT_FOUND"),
        (AlreadyExists("X", "m"), code_pb2.ALREADY_EXISTS, "X"),
        (Precondition("X", "m"), code_pb2.FAILED_PRECONDITION, "X"),
        (Exhausted("X", "m"), code_pb2.RESOURCE_EXHAUSTED, "X"),
        (Aborted("X", "m"), code_pb2.ABORTED, "X"),
        (Unavailable("X", "m"), code_pb2.UNAVAILABLE, "X"),
        (Conflict("m"), code_pb2.ABORTED, "STORE_CONFLICT"),
        (StoreUnavailable("m"), code_pb2.UNAVAILABLE, "STORE_UNREACHABLE"),
        (QuotaExceeded("m"), code_pb2.RESOURCE_EXHAUSTED, "BUNDLE_QUOTA_EXCEEDED"),
    ],
)
def test_the_table(error: Exception, code: int, reason: str) -> None:
    status = to_status(error)
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (status.code, info.reason, info.domain) == (code, reason, "nearhop")


def test_a_refusal_carries_its_metadata() -> None:
    status = to_status(NotFound("X", "there is none", function="f"))
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    status.details[0].Unpack(info)
    assert (status.message, dict(info.metadata)) == ("there is none", {"function": "f"})


def test_an_invalid_input_carries_every_violation() -> None:
    status = to_status(InvalidInput([Violation("a", "one"), Violation("b.c", "two")]))
    assert status is not None
    bad_request = error_details_pb2.BadRequest()
    assert status.details[0].Unpack(bad_request)
    assert [(entry.field, entry.description) for entry in bad_request.field_violations] == [
        ("a", "one"),
        ("b.c", "two"),
    ]


@pytest.mark.parametrize("error", [ValueError("x"), StoreRefused("x"), EngineMissing("x")])
def test_what_nobody_foresaw_has_no_status_of_its_own(error: Exception) -> None:
    assert to_status(error) is None
