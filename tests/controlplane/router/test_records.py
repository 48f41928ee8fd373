import os
from pathlib import Path

import pytest

from controlplane.router.records import RecordsFile, RecordText, load, parse
from controlplane.router.wire import encode_name
from nearhop.errors import InvalidInput

ZONES = ("edge.example.org", "shop.example")
GOOD = """
[[records]]
name = "_acme-challenge.EDGE.example.org"
type = "TXT"
data = ['"one two"', 'three']

[[records]]
name = "*.shop.example"
type = "CNAME"
ttl_s = 60
data = ["hello.edge.example.org"]

[[records]]
name = "shop.example"
type = "CAA"
data = ['0 issue "ca.example.net"']
"""


def text(name: str = "www.shop.example", kind: str = "A", *data: str, ttl_s: int = 300) -> RecordText:
    return RecordText(name, kind, data or ("192.0.2.1",), ttl_s)


def test_a_good_file_is_read_and_rendered(tmp_path: Path) -> None:
    file = tmp_path / "records.toml"
    file.write_text(GOOD)
    txt, cname, caa = load(file, ZONES)
    assert (txt.name, txt.kind, txt.ttl_s, txt.data) == (
        encode_name("_acme-challenge.edge.example.org"),
        16,
        300,
        (b"\x07one two", b"\x05three"),
    )
    assert (cname.name, cname.ttl_s, cname.data) == (
        encode_name("*.shop.example"),
        60,
        (encode_name("hello.edge.example.org"),),
    )
    assert caa.data == (b"\0\x05issueca.example.net",)


@pytest.mark.parametrize(("wrong", "field"), [
    ([text("www.other.example")], "records[0].name"),
    ([text("a..shop.example")], "records[0].name"),
    ([text("a.*.shop.example")], "records[0].name"),
    ([text(kind="SOA")], "records[0].type"),
    ([text(kind="a")], "records[0].type"),
    ([text(ttl_s=-1)], "records[0].ttl_s"),
    ([text(ttl_s=10**7)], "records[0].ttl_s"),
    ([RecordText("www.shop.example", "A", ())], "records[0].data"),
    ([text("www.shop.example", "A", "192.0.2.256")], "records[0].data[0]"),
    ([text("www.shop.example", "AAAA", "2001:db8::1", "192.0.2.1")], "records[0].data[1]"),
    ([text("www.shop.example", "A", "192.0.2.1", "192.0.2.1")], "records[0].data"),
    ([text("www.shop.example", "CNAME", "a.example", "b.example")], "records[0].data"),
    ([text("www.shop.example", "TXT", '"open')], "records[0].data[0]"),
    ([text(), text("WWW.shop.example")], "www.shop.example"),
    ([text(), text("www.shop.example", "CNAME", "a.example")], "www.shop.example"),
    ([text("shop.example", "CNAME", "a.example")], "shop.example"),
    ([text("*.shop.example", "NS", "a.example")], "*.shop.example"),
])  # fmt: skip
def test_a_wrong_record_is_named(wrong: list[RecordText], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(wrong, ZONES)
    assert [violation.field for violation in caught.value.violations] == [field]


def test_all_faults_are_told_together(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse([text("www.other.example", "MX", "x"), text(ttl_s=-1)], ZONES)
    assert len(caught.value.violations) == 3
    file = tmp_path / "records.toml"
    file.write_text(GOOD.replace("ttl_s", "ttl"))
    with pytest.raises(InvalidInput) as caught:
        load(file, ZONES)
    assert "records.1.ttl" in str(caught.value)


def test_a_file_tells_when_it_is_another_one(tmp_path: Path) -> None:
    path = tmp_path / "records.toml"
    path.write_text(GOOD)
    file = RecordsFile(path, ZONES)
    assert len(file.load()) == 3
    assert not file.changed()
    path.write_text("")
    os.utime(path, (1, 1))
    assert file.changed()
    assert file.load() == ()
    path.unlink()
    assert file.changed()
    with pytest.raises(OSError):
        file.load()
    assert not file.changed()
