"""TLS between the parts: certificates on disk, their checks, and gRPC credentials made of them.

A part's folder holds identity.pem (key and chain in one file, so that a renewal replaces both at once) and ca.pem (the authorities it trusts).
Every part checks its own files before it connects: a TLS 1.3 server that refuses a client's certificate just closes the connection.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from nearhop import private
from nearhop.bearer import BearerChannel
from nearhop.errors import NearhopError

IDENTITY_FILE = "identity.pem"
AUTHORITIES_FILE = "ca.pem"
# Every control plane's certificate holds this name, and no other part's does: clients check the role, by whatever address they came.
# .internal is reserved for private use (ICANN resolution 2024.07.29.06).
CONTROL_PLANE_NAME = "controlplane.nearhop.internal"


class CertificateError(NearhopError):
    """A certificate or a key that cannot be used; the message says which and why."""


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """A key with its certificate chain and the authorities to trust, each in PEM."""

    key: bytes
    chain: bytes
    authorities: bytes

    @property
    def certificate(self) -> x509.Certificate:
        """The chain's first certificate. Raises CertificateError."""
        return certificates(self.chain, "the certificate chain")[0]


def certificates(pem: bytes, what: str) -> list[x509.Certificate]:
    """Read at least one certificate. Raises CertificateError, which calls the input *what*."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise CertificateError(f"{what} holds no readable certificate: {error}") from error


def check(credentials: Credentials, now: datetime) -> None:
    """Make sure that the parts fit together and hold at *now*. Raises CertificateError."""
    certificate = credentials.certificate
    try:
        key = load_pem_private_key(credentials.key, password=None)
    except (ValueError, TypeError) as error:
        raise CertificateError(f"the private key cannot be read: {error}") from error
    if _public(key) != _public(certificate):
        raise CertificateError("the private key does not belong to the certificate")
    if not any(
        _signed_by(certificate, authority)
        for authority in certificates(credentials.authorities, "the authorities' file")
    ):
        raise CertificateError("the certificate was not issued by an authority that this part trusts")
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < start:
        raise CertificateError(f"the certificate is not valid before {start:%F %T} UTC; check this machine's clock")
    if now >= end:
        raise CertificateError(f"the certificate expired at {end:%F %T} UTC; join again with a new token")


def load(folder: Path, now: datetime) -> Credentials:
    """Read and check a part's folder. Raises CertificateError, FileNotFoundError when the part has not joined."""
    identity = (folder / IDENTITY_FILE).read_bytes()
    start = identity.find(b"-----BEGIN CERTIFICATE-----")
    if start < 0:
        raise CertificateError(f"{folder / IDENTITY_FILE} holds no certificate")
    credentials = Credentials(identity[:start], identity[start:], (folder / AUTHORITIES_FILE).read_bytes())
    try:
        check(credentials, now)
    except CertificateError as error:
        raise CertificateError(f"{folder}: {error}") from error
    return credentials


def save(folder: Path, credentials: Credentials) -> None:
    """Write a part's folder; a reader finds the old identity or the new one, whole."""
    private.write(folder / AUTHORITIES_FILE, credentials.authorities)
    private.write(folder / IDENTITY_FILE, credentials.key + credentials.chain)


def server_credentials(
    current: Callable[[], Credentials], *, clients: bool, begun: Callable[[], None] = lambda: None
) -> grpc.ServerCredentials:
    """Serve with what *current* returns at each handshake; with *clients*, only to certificates of its authorities.

    *current* and *begun* are called as a handshake begins, on gRPC's own threads.
    """
    served = current()

    def changed() -> Any:
        # A configuration that is handed over makes gRPC build all of TLS anew, and handshakes that are under way beside it may fail for it: None
        # says that the one before is still right.
        nonlocal served
        begun()
        own = current()
        if own == served:
            return None
        served = own
        return _configuration(own, clients)

    return grpc.dynamic_ssl_server_credentials(_configuration(served, clients), changed, clients)


def _configuration(own: Credentials, clients: bool) -> Any:
    return grpc.ssl_server_certificate_configuration([(own.key, own.chain)], own.authorities if clients else None)


def channel(
    endpoint: str,
    *,
    authorities: bytes,
    credentials: Credentials | None = None,
    token: str = "",
    options: Sequence[tuple[str, Any]] = (),
) -> grpc.aio.Channel:
    """Open a channel to a control plane, as a part with *credentials*, with an API *token*, or as nobody. The caller closes it."""
    secure = grpc.ssl_channel_credentials(
        authorities, credentials.key if credentials else None, credentials.chain if credentials else None
    )
    own = (("grpc.ssl_target_name_override", CONTROL_PLANE_NAME), ("grpc.use_local_subchannel_pool", 1))
    opened = grpc.aio.secure_channel(endpoint, secure, options=(*own, *options))
    return BearerChannel(opened, token) if token else opened


def explain(error: grpc.aio.AioRpcError) -> str:
    """Say in a sentence why a call failed, TLS's reasons included."""
    details = error.details() or error.code().name
    if is_untrusted(error):
        return f"the control plane's certificate is not of an authority that this part trusts ({details})"
    if error.code() is grpc.StatusCode.UNAVAILABLE and "Socket closed" in details:
        return f"the connection was closed: perhaps the control plane does not take this part's certificate ({details})"
    return details


def is_untrusted(error: grpc.aio.AioRpcError) -> bool:
    """Tell whether a call failed because the server's certificate does not pass."""
    words = ("CERTIFICATE_VERIFY_FAILED", "certificate signature failure", "Hostname Verification Check failed")
    return error.code() is grpc.StatusCode.UNAVAILABLE and any(it in (error.details() or "") for it in words)


def _public(holder: Any) -> bytes:
    encoded: bytes = holder.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded


def _signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
