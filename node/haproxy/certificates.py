"""Reads the operator's certificates: which may be served, and what is wrong with the others. Reads files, changes nothing.

A folder holds, for each certificate, `NAME.pem` (the chain, the leaf first, and the private key), or `NAME.crt` and `NAME.key`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

_SOON = timedelta(days=14)  # half of what automatic renewal leaves, as a rule
_MAX_BYTES = 11_000  # what the runtime API takes at once


@dataclass(frozen=True, slots=True)
class Certificate:
    """A chain with its key, as one PEM text. *names* are the hostnames that it is for."""

    name: str
    pem: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What a folder holds: the certificates by name, and warnings."""

    certificates: dict[str, Certificate]
    warnings: tuple[str, ...]


class _UnusableError(Exception):
    """Why a file cannot be served from."""


def read(folder: Path, now: datetime) -> Found:
    """Read *folder*. A certificate that has expired is warned about and served all the same: a client may accept it, none accepts nothing."""
    certificates: dict[str, Certificate] = {}
    warnings: list[str] = []
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix in {".pem", ".crt"})
    except OSError as error:
        return Found({}, (f"{folder}: {error.strerror}",))
    for path in files:
        try:
            chain, certificate = _parse(path)
        except (_UnusableError, OSError, ValueError, TypeError) as error:
            warnings.append(f"{path.name} is not served: {error}")
            continue
        certificates[certificate.name] = certificate
        warnings += [f"{path.name} {problem}" for problem in _problems(chain[0], now)]
    if not certificates:
        warnings.append(f"{folder} holds no certificate that can be served")
    return Found(certificates, tuple(warnings))


def _parse(path: Path) -> tuple[list[x509.Certificate], Certificate]:
    text = path.read_bytes()
    chain = x509.load_pem_x509_certificates(text)
    key = load_pem_private_key(path.with_suffix(".key").read_bytes() if path.suffix == ".crt" else text, password=None)
    spki = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*spki) != chain[0].public_key().public_bytes(*spki):
        raise _UnusableError("the key is not that of the certificate")
    names = tuple(_names(chain[0]))
    if not names:
        raise _UnusableError("it names no host")
    parts = [key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())]
    parts += [certificate.public_bytes(Encoding.PEM) for certificate in chain]
    pem = b"".join(parts).decode("ascii")
    if len(pem) > _MAX_BYTES:
        raise _UnusableError(f"with its chain and key it has more than {_MAX_BYTES} bytes")
    return chain, Certificate(path.stem, pem, names)


def _names(certificate: x509.Certificate) -> Iterator[str]:
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    yield from alternative.get_values_for_type(x509.DNSName)


def _problems(leaf: x509.Certificate, now: datetime) -> Iterator[str]:
    if now < leaf.not_valid_before_utc:
        yield f"is not valid before {leaf.not_valid_before_utc:%Y-%m-%d}"
    elif now >= leaf.not_valid_after_utc:
        yield f"has expired on {leaf.not_valid_after_utc:%Y-%m-%d}"
    elif now >= leaf.not_valid_after_utc - _SOON:
        yield f"expires on {leaf.not_valid_after_utc:%Y-%m-%d}"
