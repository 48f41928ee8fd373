"""How a part gets its first certificate: it joins once with a token, which also tells it the authority to trust.

The key is made here and never leaves.
"""

import asyncio
import base64
import hmac
import re
import ssl
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from nearhop import tls
from nearhop.errors import NearhopError
from nearhop.spiffe import Part, Role
from nearhop.v1 import identity_pb2, identity_pb2_grpc

CALL_TIMEOUT_S = 10.0
_TOKEN = re.compile(r"nhj_[0-9a-f]+_[0-9a-f]+_([0-9a-f]{64})")
_DATA_URI = "data:application/pkix-cert;base64,"
ROLES = {
    Role.NODE: identity_pb2.PART_ROLE_NODE,
    Role.ROUTER: identity_pb2.PART_ROLE_ROUTER,
    Role.CONTROL_PLANE: identity_pb2.PART_ROLE_CONTROL_PLANE,
}


class EnrollError(NearhopError):
    """The part could not join or renew; the message says why, and *final* that trying again is of no use."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


async def join(folder: Path, part: Part, *, token: str, endpoints: Sequence[str]) -> tls.Credentials:
    """Join as *part* through the API's *endpoints*, one after the other, and write the part's folder. Raises EnrollError."""
    if (found := _TOKEN.fullmatch(token)) is None:
        raise EnrollError("this is no join token", final=True)
    key = ec.generate_private_key(ec.SECP256R1())
    request = identity_pb2.JoinRequest(
        token=token,
        part=identity_pb2.Part(role=ROLES[part.role], region=part.region, id=part.id),
        csr=signing_request(key, part),
    )
    problems = []
    for endpoint in endpoints:
        try:
            authority = await _authority(endpoint, found[1])
            async with tls.channel(endpoint, authorities=authority) as channel:
                answer = await identity_pb2_grpc.IdentityStub(channel).Join(request, timeout=CALL_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise EnrollError(f"{endpoint} refuses {part}: {error.details()}", final=_is_final(error)) from error
            problems.append(f"{endpoint}: {tls.explain(error)}")
        except (OSError, TimeoutError) as error:
            problems.append(f"{endpoint}: {str(error) or 'no answer in time'}")
        else:
            return keep(folder, key, answer)
    raise EnrollError("no control plane can be reached: " + "; ".join(problems))


def keep(folder: Path, key: ec.EllipticCurvePrivateKey, answer: identity_pb2.Certificate) -> tls.Credentials:
    """Check the *answer* for *key*, write both to the part's folder and return them. Raises CertificateError."""
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    credentials = tls.Credentials(pem, answer.chain, answer.authorities)
    tls.check(credentials, datetime.now(UTC))
    tls.save(folder, credentials)
    return credentials


def signing_request(key: ec.EllipticCurvePrivateKey, part: Part) -> bytes:
    """Return a PKCS #10 request for *key*, in DER; the authority adds the name that the part may have."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, part.id)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return request.public_bytes(Encoding.DER)


async def _authority(endpoint: str, sha256: str) -> bytes:
    # The server's certificate tells its issuer's (RFC 5280 4.2.2.1); the token tells whether that one is right. Nothing is sent before.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["h2"])
    host, _, port = endpoint.rpartition(":")
    async with asyncio.timeout(CALL_TIMEOUT_S):
        _, writer = await asyncio.open_connection(host.strip("[]"), int(port), ssl=context)
        shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    for issuer in _issuers(x509.load_der_x509_certificate(shown)):
        if hmac.compare_digest(issuer.fingerprint(hashes.SHA256()).hex(), sha256):
            return issuer.public_bytes(Encoding.PEM)
    raise EnrollError(
        f"{endpoint} is not of the authority that the join token names; nothing was sent to it", final=True
    )


def _issuers(certificate: x509.Certificate) -> list[x509.Certificate]:
    with suppress(x509.ExtensionNotFound, ValueError):
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
        places = [
            it.access_location.value for it in access if it.access_method == AuthorityInformationAccessOID.CA_ISSUERS
        ]
        return [x509.load_der_x509_certificate(base64.b64decode(it.removeprefix(_DATA_URI))) for it in places]
    return []


def _is_final(error: grpc.aio.AioRpcError) -> bool:
    return error.code() in {
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.ALREADY_EXISTS,
    }
