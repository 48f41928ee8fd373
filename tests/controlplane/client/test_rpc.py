import grpc
import grpc.aio
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from controlplane.client import rpc
from controlplane.client.failure import Exit, Failure
from controlplane.client.target import Target

ENDPOINT = "192.0.2.1:7400"
DETAILS = "grpc-status-details-bin"


def error(code: grpc.StatusCode, words: str | None = None, details: bytes | None = None) -> grpc.aio.AioRpcError:
    trailing = grpc.aio.Metadata() if details is None else grpc.aio.Metadata((DETAILS, details))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, words)


def told(code: grpc.StatusCode, words: str | None = None, details: bytes | None = None) -> Failure:
    return rpc.explain(error(code, words, details), ENDPOINT)


def test_violations_are_told_each_by_itself() -> None:
    request = error_details_pb2.BadRequest()
    for field, description in (("name", "must not be empty"), ("limits.cpu_ms", "is 9; at most 5 is allowed")):
        request.field_violations.add(field=field, description=description)
    packed = any_pb2.Any()
    packed.Pack(request)
    found = told(
        grpc.StatusCode.INVALID_ARGUMENT, "2 violations", status_pb2.Status(details=[packed]).SerializeToString()
    )
    assert str(found) == "the control plane refused the input"
    assert found.reasons == ("name: must not be empty", "limits.cpu_ms: is 9; at most 5 is allowed")
    assert found.status is Exit.USAGE


@pytest.mark.parametrize("details", [None, b"", b"\xff\xff"])
def test_input_that_is_refused_without_violations_has_the_sentence(details: bytes | None) -> None:
    found = told(grpc.StatusCode.INVALID_ARGUMENT, "no such thing", details)
    assert (str(found), found.reasons) == ("the control plane refused the input. no such thing", ())


def test_who_does_not_answer_is_told_from_who_cannot_do_it_now() -> None:
    away = told(grpc.StatusCode.UNAVAILABLE, "connection refused")
    assert f"the control plane at {ENDPOINT} cannot be reached" in str(away)
    without_store = told(grpc.StatusCode.UNAVAILABLE, "etcd is gone", status_pb2.Status().SerializeToString())
    assert "cannot do this now" in str(without_store)
    assert "etcd is gone" in str(without_store)
    late = told(grpc.StatusCode.DEADLINE_EXCEEDED)
    assert "did not answer in time" in str(late)
    assert {away.status, without_store.status, late.status} == {Exit.UNREACHABLE}


def test_other_refusals_keep_their_words() -> None:
    assert str(told(grpc.StatusCode.NOT_FOUND, "there is no function x.")) == "there is no function x (NOT_FOUND)"
    assert "it gave no reason" in str(told(grpc.StatusCode.INTERNAL))
    assert "--token" in str(told(grpc.StatusCode.UNAUTHENTICATED, "who are you"))
    assert "of this version" in str(told(grpc.StatusCode.UNIMPLEMENTED))


@pytest.mark.parametrize(
    ("endpoints", "name"),
    [
        (("127.0.0.1:1", "127.0.0.2:2"), {"ipv4:127.0.0.1:1,127.0.0.2:2", "ipv4:127.0.0.2:2,127.0.0.1:1"}),
        (
            ("127.0.0.1:1", "[::1]:2"),
            {"ipv6:[::ffff:127.0.0.1]:1,[::1]:2", "ipv6:[::1]:2,[::ffff:127.0.0.1]:1"},
        ),
    ],
)
async def test_several_control_planes_are_one_name(endpoints: tuple[str, ...], name: set[str]) -> None:
    assert await rpc._any(endpoints) in name


async def test_a_certificate_of_the_authority_that_is_none_is_an_error_of_usage(tmp_path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("no certificate")
    with pytest.raises(Failure, match="cannot be read") as found:
        async with rpc.connect(Target("127.0.0.1:1", ca=path)):
            pass
    assert found.value.status is Exit.USAGE
