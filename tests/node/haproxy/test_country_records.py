"""The decoder in step against the library's own, over records of any shape."""

from pathlib import Path

import maxminddb
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from node.haproxy import country_build

small = st.one_of(
    st.text(max_size=400), st.integers(0, 2**60), st.booleans(), st.floats(allow_nan=False), st.binary(max_size=300)
)
values = st.recursive(
    small,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=4) | st.dictionaries(st.text(max_size=9), inner, min_size=1, max_size=40)
    ),
    max_leaves=12,
)
countries = st.sampled_from(["JP", "GB", "US"]).map(lambda code: {"names": {"en": "x" * 70}, "iso_code": code})
records = st.builds(
    lambda before, country, after: before | ({"country": country} if country else {}) | after,
    st.dictionaries(st.text(max_size=9).filter(lambda key: key != "country"), values, max_size=4),
    st.none() | countries,
    st.dictionaries(st.text(max_size=9).filter(lambda key: key != "country"), values, max_size=4),
)


@settings(max_examples=20, deadline=None)
@given(st.lists(records, min_size=1, max_size=8))
def test_countries_are_those_that_the_library_reads(tmp_path_factory, found: list[dict]) -> None:
    path: Path = tmp_path_factory.mktemp("records") / "city.mmdb"
    writer = MMDBWriter(6, ipv4_compatible=True, database_type="Test-City", int_type="u64", float_type="f64")
    for number, record in enumerate(found):
        record["number"] = number + 1  # the writer takes an empty map for an empty list
        writer.insert_network(IPSet([f"203.0.{number}.0/24"]), record)
    writer.to_db_file(str(path))
    lines = list(country_build.lines(path))
    with maxminddb.open_database(path) as reader:
        for number in range(len(found)):
            record = reader.get(f"203.0.{number}.1")
            assert isinstance(record, dict)
            code = record.get("country", {}).get("iso_code", "XX")  # type: ignore[union-attr]
            assert country(lines, number) == code


def country(lines: list[str], number: int) -> str:
    address = (203 << 24) + (number << 8) + 1
    best = (-1, "XX")
    for network, code in (line.split() for line in lines):
        if ":" in network:
            continue
        text, _, length = network.partition("/")
        start = int.from_bytes(bytes(int(part) for part in text.split(".")))
        if address >> (32 - int(length)) == start >> (32 - int(length)):
            best = max(best, (int(length), code))
    return best[1]
