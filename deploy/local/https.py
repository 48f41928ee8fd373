"""A certificate authority for development: it signs one certificate, for the zone and every name right below it, and can sign no other name.

It is made once for each state folder and thrown away with it. Whoever wants no warnings trusts its certificate, on this machine alone.
"""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY = "development-ca.pem"
_KEY = "development-ca.key"
_FOLDER = "https"
_AUTHORITY_LASTS = timedelta(days=3650)
_LASTS = timedelta(days=90)
_RENEWED_BEFORE = timedelta(days=30)  # as long as a cluster may be up without a new certificate
_BACKDATED = timedelta(hours=1)  # for clocks of clients


def prepare(keys: Path, zone: str, now: datetime | None = None) -> Path:
    """Make what is missing in *keys* or about to expire; return the folder that holds the certificate for *zone*."""
    now = now or datetime.now(UTC)
    folder = keys / _FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (keys / AUTHORITY).exists() or not (keys / _KEY).exists():
        certificate, key = _authority(zone, now)
        _write(keys / _KEY, _pem(key), mode=0o600)
        _write(keys / AUTHORITY, certificate.public_bytes(Encoding.PEM), mode=0o644)
        (folder / f"{zone}.pem").unlink(missing_ok=True)
    if not _holds(folder / f"{zone}.pem", now):
        certificate, key = _leaf(keys, zone, now)
        _write(folder / f"{zone}.pem", certificate.public_bytes(Encoding.PEM) + _pem(key), mode=0o600)
    return folder


def _authority(zone: str, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Nearhop development CA for {zone}")])
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = _builder(name, name, key, now, _AUTHORITY_LASTS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(usage, critical=True)
    # RFC 5280 section 4.2.1.10: the zone and what is below it, and no address at all
    allowed = x509.NameConstraints(permitted_subtrees=[x509.DNSName(zone)], excluded_subtrees=None)
    builder = builder.add_extension(allowed, critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return builder.sign(key, hashes.SHA256()), key


def _leaf(keys: Path, zone: str, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    authority = x509.load_pem_x509_certificate((keys / AUTHORITY).read_bytes())
    signer = load_pem_private_key((keys / _KEY).read_bytes(), password=None)
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{keys / _KEY} is not a key that was made here")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, zone)])
    builder = _builder(name, authority.subject, key, now, _LASTS)
    names = [x509.DNSName(zone), x509.DNSName(f"*.{zone}")]
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    return builder.add_extension(issuer, critical=False).sign(signer, hashes.SHA256()), key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, lasts: timedelta
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - _BACKDATED).not_valid_after(now + lasts)


def _holds(path: Path, now: datetime) -> bool:
    if not path.exists():
        return False
    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc - now > _RENEWED_BEFORE


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, content: bytes, *, mode: int) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    temporary.replace(path)
