import asyncio
import ipaddress
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlplane.geoip import Places, PlacesConfig, forced_file
from controlplane.geoip.places import Address
from controlplane.model import Location
from controlplane.steering import ClientLocation, Target, of_country
from controlplane.steering.countries import COUNTRIES
from nearhop.errors import InvalidInput
from nearhop.tasks import cancel
from tests.controlplane.geoip.files import LYON, OSAKA, reshape, write, write_city

DAY_S = 86_400


class Files:
    def __init__(self, folder: Path) -> None:
        self.city = reshape(write_city(folder / "city.mmdb", OSAKA), 32, ("::ffff:0:0/96",))
        systems = {"198.51.100.0/24": 64500, "203.0.112.0/24": 64501}
        records = {network: {"autonomous_system_number": number} for network, number in systems.items()}
        self.asn = write(folder / "asn.mmdb", records, "Test-ASN")
        self.overrides = folder / "places.toml"
        self.overrides.write_text('[prefixes]\n"203.0.113.0/24" = { region = "tokyo" }\n')
        self.config = PlacesConfig(str(self.city), str(self.asn), str(self.overrides))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def places(files: Files) -> Iterator[Places]:
    places = Places(files.config)
    yield places
    places.close()


def refresh(places: Places) -> bool:
    prepared = places.prepare()
    return prepared is not None and places.use(prepared)


def test_file_system_and_database_are_asked_in_this_order(places: Places) -> None:
    assert places.locate("203.0.113.9").target == Target(region="tokyo")
    found = places.locate("198.51.100.9")
    assert (found.location, found.asn, found.network) == (Location(*OSAKA), 64500, "198.51.100.0/24")
    assert places.locate("192.0.2.1").asn == 0
    assert places.apply(of_country("JP")).location == COUNTRIES["JP"]


ASKED = st.one_of(
    st.ip_addresses(v=4),
    st.ip_addresses(v=6),
    st.sampled_from(("198.51.100", "198.51.101", "203.0.113", "203.0.112")).flatmap(
        lambda net: st.integers(0, 255).map(lambda last: ipaddress.ip_address(f"{net}.{last}"))
    ),
    st.ip_addresses(v=4).map(lambda address: ipaddress.ip_address(f"::ffff:{address}")),
)


@given(
    st.lists(ASKED, min_size=8, max_size=30),
    st.sampled_from(("city", "city asn", "city overrides", "city asn overrides", "asn")),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_addresses_of_one_record_differ_in_address_and_network_alone(
    files: Files, asked: list[Address], used: str
) -> None:
    config = files.config
    places = Places(PlacesConfig(**{name: getattr(config, name) for name in used.split()}))
    known: dict[object, ClientLocation] = {}
    for address in asked:
        record, found = places.record_of(address.packed), places.locate(address)
        if record is None:
            continue
        assert record[1] == found.prefix_length
        bare = replace(found, ip="", network="")
        assert known.setdefault(record[0], bare) == bare
    places.close()


def test_records_are_known_of_who_is_in_every_file(files: Files) -> None:
    packed = ipaddress.ip_address("198.51.100.9").packed
    for used in ({"city": str(files.city)}, {"city": str(files.city), "asn": str(files.asn)}):
        places = Places(PlacesConfig(**used))
        record = places.record_of(packed)
        assert record is not None
        assert record[1] == places.locate("198.51.100.9").prefix_length
        places.close()


def test_without_files_nobody_is_anywhere() -> None:
    places = Places(PlacesConfig())
    assert places.locate("198.51.100.9").source == "none"
    assert places.prepare() is None
    places.close()


def test_what_is_wrong_at_the_start_is_refused(tmp_path: Path) -> None:
    bad = tmp_path / "places.toml"
    bad.write_text("[prefix]\n")
    with pytest.raises(InvalidInput, match="prefix: is not known"):
        Places(PlacesConfig(overrides=str(bad)))
    bad.write_text("= nothing")
    with pytest.raises(InvalidInput, match="is not TOML"):
        Places(PlacesConfig(overrides=str(bad)))


def test_a_newer_database_is_taken_over(places: Places, files: Files) -> None:
    assert not refresh(places)
    write_city(files.city, LYON, built=2_000_000_000 + DAY_S)
    assert refresh(places)
    assert places.locate("192.0.2.1").location == Location(*LYON)
    assert places.changes == 1
    assert not refresh(places)


def test_s5_a_bad_database_is_refused_and_the_old_one_stays(places: Places, files: Files) -> None:
    partial = files.city.with_suffix(".bad")
    partial.write_bytes(files.city.read_bytes()[:400])
    partial.replace(files.city)
    assert not refresh(places)
    assert str(files.city) in places.refused
    assert places.locate("192.0.2.1").location == Location(*OSAKA)
    assert not refresh(places)  # it is not judged again as long as it is the same
    write_city(files.city, LYON, built=2_000_000_000 + DAY_S)
    assert refresh(places)
    assert places.refused == {}


def test_an_older_database_is_refused_unless_it_is_forced(places: Places, files: Files) -> None:
    write_city(files.city, LYON, built=2_000_000_000 - DAY_S)
    assert not refresh(places)
    assert "it was built 1.0 days before the one in use" in places.refused[str(files.city)]
    forced_file(files.city).touch()
    write_city(files.city, LYON, built=2_000_000_000 - 2 * DAY_S)
    assert refresh(places)
    assert places.locate("192.0.2.1").location == Location(*LYON)
    assert not forced_file(files.city).exists()  # once


def test_a_places_file_is_read_anew_and_a_wrong_one_refused(places: Places, files: Files) -> None:
    files.overrides.write_text('[prefixes]\n"203.0.113.0/24" = { region = "london" }\n')
    assert refresh(places)
    assert places.locate("203.0.113.9").target == Target(region="london")
    files.overrides.write_text('[prefixes]\n"203.0.113.0/24" = { regoin = "london" }\n')
    assert not refresh(places)
    assert "regoin" in places.refused[str(files.overrides)]
    assert places.locate("203.0.113.9").target == Target(region="london")


def test_a_file_that_is_gone_for_a_moment_is_waited_for(places: Places, files: Files) -> None:
    files.asn.unlink()
    assert not refresh(places)
    write(files.asn, {"198.51.100.0/24": {"autonomous_system_number": 64501}}, "Test-ASN")
    assert refresh(places)
    assert places.locate("198.51.100.9").asn == 64501


async def test_it_is_followed_while_it_answers(places: Places, files: Files) -> None:
    changed = asyncio.Event()
    task = asyncio.get_running_loop().create_task(places.follow(changed.set))
    write_city(files.city, LYON, built=2_000_000_000 + DAY_S)
    async with asyncio.timeout(20):
        while not changed.is_set():  # under load: every look-up gives the one place or the other
            assert places.locate("192.0.2.1").location in (Location(*OSAKA), Location(*LYON))
            await asyncio.sleep(0)
    assert places.locate("192.0.2.1").location == Location(*LYON)
    await cancel(task)
