import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest

from controlplane.router.svcb import HttpsOffer, https_data


@pytest.mark.parametrize(("offer", "ipv4", "ipv6", "text"), [
    (HttpsOffer(("h2", "http/1.1")), [b"\xc0\0\2\1", b"\xc0\0\2\2"], [b"\x20\x01\x0d\xb8" + bytes(11) + b"\1"],
     '1 . alpn="h2,http/1.1" ipv4hint="192.0.2.1,192.0.2.2" ipv6hint="2001:db8::1"'),
    (HttpsOffer(("h3",), 8443), [], [], '1 . alpn="h3" port="8443"'),
])  # fmt: skip
def test_dnspython_reads_what_is_rendered(offer: HttpsOffer, ipv4: list[bytes], ipv6: list[bytes], text: str) -> None:
    data = https_data(offer, ipv4, ipv6)
    rdata = dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.HTTPS, data, 0, len(data))
    assert rdata.to_text() == text
    assert rdata.to_wire() == data
