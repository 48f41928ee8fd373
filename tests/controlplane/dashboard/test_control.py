"""Calls to several control planes: the next one when one is away, and errors with their details."""

import socket
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from controlplane.dashboard.control import CONTROL_PLANE_NAME, Caller, ControlError, ControlPlanes
from nearhop.v1 import deployments_pb2, nodes_pb2
from tests.controlplane.dashboard.fake import FakeControlPlane


def nobody() -> str:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return f"127.0.0.1:{unused.getsockname()[1]}"


async def list_nodes(control: ControlPlanes, token: str | None = None) -> nodes_pb2.ListNodesResponse:
    return await control.call(
        Caller(token),
        lambda api, who, limit: api.nodes.ListNodes(nodes_pb2.ListNodesRequest(), metadata=who, timeout=limit),
    )


async def test_an_unavailable_endpoint_is_skipped_and_then_left_alone(fake: FakeControlPlane) -> None:
    control = ControlPlanes([nobody(), fake.address], timeout_s=5)
    try:
        assert len((await list_nodes(control)).nodes) == 5
        assert control.endpoint == fake.address
    finally:
        await control.close()


async def test_none_available_is_unavailable() -> None:
    control = ControlPlanes([nobody(), nobody()], timeout_s=5)
    try:
        with pytest.raises(ControlError) as caught:
            await list_nodes(control)
        assert caught.value.code == "UNAVAILABLE"
    finally:
        await control.close()


async def test_a_refusal_is_not_tried_elsewhere(fake: FakeControlPlane) -> None:
    fake.tokens = {}
    control = ControlPlanes([fake.address, fake.address], timeout_s=5)
    try:
        with pytest.raises(ControlError) as caught:
            await list_nodes(control, "wrong")
        assert caught.value.code == "UNAUTHENTICATED"
        assert fake.calls.count("ListNodes") == 1
    finally:
        await control.close()


async def test_field_violations_are_carried(fake: FakeControlPlane) -> None:
    control = ControlPlanes([fake.address], timeout_s=5)
    request = deployments_pb2.RollbackRequest(request_id="r", function="hello", to_version=99)
    try:
        with pytest.raises(ControlError) as caught:
            async for _ in control.stream(Caller(), lambda api, who: api.deployments.Rollback(request, metadata=who)):
                pass
        assert [item.field for item in caught.value.violations] == ["to_version"]
    finally:
        await control.close()


def certificate(name: str) -> tuple[bytes, bytes]:
    """Return a key and a certificate for *name* that is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(minutes=1))
        .not_valid_after(datetime.now(UTC) + timedelta(minutes=10))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem, made.public_bytes(Encoding.PEM)


async def test_tls_takes_a_control_plane_of_the_authority_and_no_other() -> None:
    key, own = certificate(CONTROL_PLANE_NAME)
    _, foreign = certificate(CONTROL_PLANE_NAME)
    other_key, other_part = certificate("node.nearhop.internal")
    fake = FakeControlPlane(tokens={"admin-token": "admin"})
    fake.credentials = grpc.ssl_server_credentials([(key, own)])
    async with fake:
        control = ControlPlanes([fake.address], timeout_s=5, authorities=own)
        assert len((await list_nodes(control, "admin-token")).nodes) == 5
        await control.close()
        control = ControlPlanes([fake.address], timeout_s=5, authorities=foreign)
        with pytest.raises(ControlError, match="CERTIFICATE_VERIFY_FAILED"):
            await list_nodes(control, "admin-token")
        await control.close()
    impostor = FakeControlPlane()
    impostor.credentials = grpc.ssl_server_credentials([(other_key, other_part)])
    async with impostor:
        control = ControlPlanes([impostor.address], timeout_s=5, authorities=other_part)
        with pytest.raises(ControlError, match="Hostname Verification"):
            await list_nodes(control)
        await control.close()
        assert impostor.calls == []
