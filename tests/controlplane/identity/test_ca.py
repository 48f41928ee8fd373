"""The certificate authority: what it signs, what it refuses to sign, and what it reads back."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from controlplane.identity import ca
from nearhop import enroll
from nearhop.errors import InvalidInput
from nearhop.spiffe import Part, Role

NOW = ca.utc(1_800_000_000)
DOMAIN = "fleet.example.org"
NODE = Part(Role.NODE, "tokyo-1", "tokyo")
ROUTER = Part(Role.ROUTER, "r1")
CONTROL_PLANE = Part(Role.CONTROL_PLANE, "c1")
HOUR = timedelta(hours=1)


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def issue(authority: ca.Authority, part: Part, *, epoch: int = 7, names: tuple[str, ...] = ()) -> x509.Certificate:
    return ca.issue(authority, new_key().public_key(), part, epoch=epoch, now=NOW, life=HOUR, names=names)


def request(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, *names: str) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    )
    if names:
        uris = [x509.UniformResourceIdentifier(name) for name in names]
        builder = builder.add_extension(x509.SubjectAlternativeName(uris), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def alternatives(certificate: x509.Certificate) -> list[str]:
    value = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in value]


def usages(certificate: x509.Certificate) -> set[x509.ObjectIdentifier]:
    return set(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def test_a_nodes_certificate_names_it_and_serves_nobody(authority: ca.Authority) -> None:
    certificate = issue(authority, NODE)
    certificate.verify_directly_issued_by(authority.certificate)
    assert alternatives(certificate) == [f"spiffe://{DOMAIN}/node/tokyo/tokyo-1"]
    assert usages(certificate) == {ExtendedKeyUsageOID.CLIENT_AUTH}
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert not usage.key_cert_sign
    assert certificate.not_valid_after_utc - NOW == HOUR
    assert NOW - certificate.not_valid_before_utc == timedelta(seconds=60)


def test_a_control_planes_certificate_also_serves_under_its_hosts(authority: ca.Authority) -> None:
    certificate = issue(authority, CONTROL_PLANE, names=("api.example.org", "192.0.2.1", "2001:db8::1"))
    assert alternatives(certificate) == [
        f"spiffe://{DOMAIN}/controlplane/c1",
        "controlplane.nearhop.internal",
        "api.example.org",
        "192.0.2.1",
        "2001:db8::1",
    ]
    assert usages(certificate) == {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}


def test_an_authority_signs_certificates_and_no_authorities(authority: ca.Authority) -> None:
    constraints = authority.certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 0)
    assert authority.certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


def test_an_authority_reads_back_and_takes_no_other_key(authority: ca.Authority) -> None:
    again = ca.load(authority.pem, ca.key_pem(authority.key), DOMAIN)
    assert again.sha256 == authority.sha256
    with pytest.raises(ValueError, match="does not belong"):
        ca.load(authority.pem, ca.key_pem(new_key()), DOMAIN)


def test_a_certificate_tells_its_caller(authority: ca.Authority) -> None:
    caller = ca.caller(issue(authority, NODE, epoch=9).public_bytes(Encoding.PEM), DOMAIN)
    assert (caller.part, caller.epoch, caller.not_after) == (NODE, 9, (NOW + HOUR).timestamp())


def test_a_certificate_of_another_trust_domain_tells_nobody(authority: ca.Authority) -> None:
    with pytest.raises(InvalidInput, match="trust domain"):
        ca.caller(issue(authority, NODE).public_bytes(Encoding.PEM), "other.example.org")


@pytest.mark.parametrize("uris", [[], ["a", "b"]])
def test_a_certificate_without_exactly_one_name_tells_nobody(authority: ca.Authority, uris: list[str]) -> None:
    names: list[x509.GeneralName] = [x509.DNSName("x.example.org")]
    names += [x509.UniformResourceIdentifier(f"spiffe://{DOMAIN}/router/{uri}") for uri in uris]
    builder = ca.leaf(authority, new_key().public_key(), "x", now=NOW, life=HOUR).serial_number(1)
    odd = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    with pytest.raises(InvalidInput, match="URIs"):
        ca.caller(odd.sign(authority.key, hashes.SHA256()).public_bytes(Encoding.PEM), DOMAIN)
    with pytest.raises(InvalidInput, match="names nobody"):
        ca.caller(builder.sign(authority.key, hashes.SHA256()).public_bytes(Encoding.PEM), DOMAIN)


def test_serial_numbers_carry_the_epoch_and_differ() -> None:
    made = {ca.serial_number(3) for _ in range(100)}
    assert len(made) == 100
    assert {number >> 96 for number in made} == {3}
    assert max(made).bit_length() < 160


def test_a_request_is_read_with_its_own_name_or_none() -> None:
    key = new_key()
    for der in (enroll.signing_request(key, NODE), request(key, f"spiffe://{DOMAIN}/node/tokyo/tokyo-1")):
        assert ca.read_request(der, NODE, DOMAIN) == key.public_key()


@pytest.mark.parametrize(
    ("der", "reason"),
    [
        (request(new_key(), f"spiffe://{DOMAIN}/node/tokyo/tokyo-2"), "asks for the name"),
        (
            request(new_key(), f"spiffe://{DOMAIN}/node/tokyo/tokyo-1", f"spiffe://{DOMAIN}/router/r1"),
            "asks for the name",
        ),
        (request(rsa.generate_private_key(65537, 2048)), "P-256"),
        (request(ec.generate_private_key(ec.SECP384R1())), "P-256"),
        (b"", "PKCS #10"),
        (b"\x30\x80" + bytes(100), "PKCS #10"),
        (bytes(5000), "4096"),
    ],
    ids=["another's name", "one name too many", "RSA", "P-384", "empty", "garbage", "huge"],
)
def test_other_requests_are_refused(der: bytes, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        ca.read_request(der, NODE, DOMAIN)


def test_a_request_must_be_signed_by_its_own_key() -> None:
    der = bytearray(request(new_key()))
    der[-1] ^= 1
    with pytest.raises(InvalidInput, match=r"not signed|PKCS #10"):
        ca.read_request(bytes(der), NODE, DOMAIN)


def test_a_server_tells_its_issuer(authority: ca.Authority) -> None:
    (issuer,) = enroll._issuers(issue(authority, CONTROL_PLANE))
    assert issuer == authority.certificate
    assert enroll._issuers(issue(authority, ROUTER)) == []
