"""The fleet's certificate authority: makes itself, reads signing requests, issues short certificates, reads them back.

It decides nothing about who may have which name, and keeps nothing. All keys are on P-256, whose signatures cost the least time of what
every TLS library takes.
"""

import base64
import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from controlplane.identity.principal import PartCaller
from nearhop import spiffe
from nearhop.errors import InvalidInput, Violation
from nearhop.spiffe import Part, Role
from nearhop.tls import CONTROL_PLANE_NAME

AUTHORITY_LIFE = timedelta(days=3650)
_SKEW = timedelta(seconds=60)  # how far behind a part's clock may be
_CSR_MAX_BYTES = 4096
_EPOCH_SHIFT = 96  # a serial number is the epoch, then 96 random bits: 16 of the 20 octets that RFC 5280 4.1.2.2 allows
_KEY_USAGE = {
    "digital_signature": False, "content_commitment": False, "key_encipherment": False, "data_encipherment": False,
    "key_agreement": False, "key_cert_sign": False, "crl_sign": False, "encipher_only": False, "decipher_only": False,
}  # fmt: skip


@dataclass(frozen=True, slots=True, repr=False)
class Authority:
    """The authority's key with its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    trust_domain: str

    @property
    def pem(self) -> bytes:
        """The certificate, which is no secret."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def sha256(self) -> str:
        """The certificate's fingerprint, which join tokens carry."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()


def create(trust_domain: str, now: datetime, *, name: str = "Nearhop", life: timedelta = AUTHORITY_LIFE) -> Authority:
    """Make an authority for *trust_domain*."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, trust_domain[:64]),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    public = key.public_key()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + life)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**{**_KEY_USAGE, "key_cert_sign": True, "crl_sign": True}), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"spiffe://{trust_domain}")]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    return Authority(key, certificate, trust_domain)


def load(certificate_pem: bytes, key_pem: bytes, trust_domain: str) -> Authority:
    """Read an authority back. Raises ValueError when the two are not one's."""
    key = load_pem_private_key(key_pem, password=None)
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.public_key() != key.public_key():
        raise ValueError("the authority's key does not belong to its certificate")
    return Authority(key, certificate, trust_domain)


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return *key* unencrypted."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def read_request(der: bytes, part: Part, trust_domain: str) -> ec.EllipticCurvePublicKey:
    """Return the key of a signing request that *part* may make.

    Raises InvalidInput when it is unreadable, not signed by its own key, or asks for another name.
    """
    if len(der) > _CSR_MAX_BYTES:
        raise _refused(f"has {len(der)} bytes; at most {_CSR_MAX_BYTES} are allowed")
    try:
        request = x509.load_der_x509_csr(der)
        key, proven = request.public_key(), request.is_signature_valid
        wanted = [
            name
            for extension in request.extensions
            if isinstance(extension.value, x509.SubjectAlternativeName)
            for name in extension.value
        ]
    except (ValueError, TypeError, InvalidSignature) as error:
        raise _refused(f"is no PKCS #10 request: {error}") from error
    if not proven:
        raise _refused("is not signed by the key that it holds")
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _refused("must hold a key on the curve P-256")
    allowed = x509.UniformResourceIdentifier(spiffe.uri(part, trust_domain))
    for name in wanted:
        if name != allowed:
            raise _refused(f"asks for the name {name.value!r}; {part} may have {allowed.value!r} only")
    return key


def issue(
    authority: Authority,
    key: ec.EllipticCurvePublicKey,
    part: Part,
    *,
    epoch: int,
    now: datetime,
    life: timedelta,
    names: Sequence[str] = (),
) -> x509.Certificate:
    """Sign a certificate for *part* that counts from *now*. A control plane also gets *names*, the hosts and addresses it is reached by."""
    serves = part.role is Role.CONTROL_PLANE
    alternatives: list[x509.GeneralName] = [x509.UniformResourceIdentifier(spiffe.uri(part, authority.trust_domain))]
    if serves:
        alternatives += [general_name(name) for name in dict.fromkeys((CONTROL_PLANE_NAME, *names))]
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH] + ([ExtendedKeyUsageOID.SERVER_AUTH] if serves else [])
    builder = leaf(authority, key, part.id, now=now, life=life).serial_number(serial_number(epoch))
    builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if serves:
        builder = builder.add_extension(_issuer_access(authority), critical=False)
    return builder.sign(authority.key, hashes.SHA256())


def leaf(
    authority: Authority, key: ec.EllipticCurvePublicKey, common_name: str, *, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    """Return what every certificate has that is not an authority's, still without serial number, names and usages."""
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
        .issuer_name(authority.certificate.subject)
        .public_key(key)
        .not_valid_before(now - min(_SKEW, life / 10))
        .not_valid_after(now + life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**{**_KEY_USAGE, "digital_signature": True}), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
    )


def serial_number(epoch: int) -> int:
    """Return a fresh serial number of *epoch*."""
    return (epoch << _EPOCH_SHIFT) | secrets.randbits(_EPOCH_SHIFT)


def caller(pem: bytes, trust_domain: str) -> PartCaller:
    """Return whom a certificate, which TLS has verified, names. Raises InvalidInput when it names no part of *trust_domain*."""
    certificate = x509.load_pem_x509_certificate(pem)
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound as error:
        raise InvalidInput([Violation("certificate", "names nobody")]) from error
    uris = extension.value.get_values_for_type(x509.UniformResourceIdentifier)
    if len(uris) != 1:  # SPIFFE X.509-SVID, section 2
        raise InvalidInput([Violation("certificate", f"holds {len(uris)} URIs where one is expected")])
    part = spiffe.parse(uris[0], trust_domain)
    return PartCaller(part, certificate.serial_number >> _EPOCH_SHIFT, certificate.not_valid_after_utc.timestamp())


def utc(seconds: float) -> datetime:
    """Return *seconds* since 1970 as a date."""
    return datetime.fromtimestamp(seconds, UTC)


def _issuer_access(authority: Authority) -> x509.AuthorityInformationAccess:
    # Where the issuer's certificate is found (RFC 5280 4.2.2.1): right here (RFC 2397). A joiner, which knows only its fingerprint, reads it
    # from the server's certificate before it trusts anything.
    data = base64.b64encode(authority.certificate.public_bytes(Encoding.DER)).decode()
    location = x509.UniformResourceIdentifier(f"data:application/pkix-cert;base64,{data}")
    return x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, location)])


def general_name(name: str) -> x509.GeneralName:
    """Return *name*, a host or an address, as a certificate has it."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _refused(reason: str) -> InvalidInput:
    return InvalidInput([Violation("csr", reason)])
