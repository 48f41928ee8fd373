"""Certificates for etcd, of an authority of their own: whoever has a certificate of the fleet gets nothing from etcd.

Made before etcd starts. That authority's key is thrown away: a new set replaces the whole old one, while etcd and the control planes are stopped.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from controlplane.identity import ca
from nearhop import private

AUTHORITY = "etcd-ca.pem"
MEMBER = "etcd-member"  # .pem and .key: a member towards clients and other members
CLIENT = "etcd-client"  # .pem and .key: a control plane
# Stands in every member's certificate: a client that knows several members by address checks this name.
SERVER_NAME = "etcd.nearhop.internal"
LIFE = timedelta(days=365)


def write(folder: Path, names: Sequence[str], *, life: timedelta = LIFE) -> None:
    """Write a new set to *folder*; *names* are the hosts and addresses of all members."""
    now = datetime.now(UTC)
    authority = ca.create("etcd.nearhop.internal", now, name="Nearhop etcd", life=life)
    # etcd's own gateway speaks to etcd as a client, with the member's certificate.
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    _write(folder, MEMBER, authority, both, [SERVER_NAME, *names], now=now, life=life)
    _write(folder, CLIENT, authority, [ExtendedKeyUsageOID.CLIENT_AUTH], [], now=now, life=life)
    private.write(folder / AUTHORITY, authority.pem)


def _write(
    folder: Path,
    name: str,
    authority: ca.Authority,
    usages: list[x509.ObjectIdentifier],
    hosts: Sequence[str],
    *,
    now: datetime,
    life: timedelta,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = ca.leaf(authority, key.public_key(), name, now=now, life=life)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if hosts:
        alternatives = [ca.general_name(host) for host in dict.fromkeys(hosts)]
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    certificate = builder.sign(authority.key, hashes.SHA256())
    private.write(folder / f"{name}.key", ca.key_pem(key))
    private.write(folder / f"{name}.pem", certificate.public_bytes(Encoding.PEM))
