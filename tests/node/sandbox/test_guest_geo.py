"""Guests that ask the node's geo service, and what they see of a client's place."""

import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.geo.service import GeoService, Places
from tests.node.sandbox.guests import Boot, worker

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from mmdb_writer import MMDBWriter
    from netaddr import IPSet

SAO_PAULO = {
    "city": {"names": {"en": "São Paulo"}},
    "continent": {"code": "SA"},
    "country": {"iso_code": "BR"},
    "location": {"latitude": -23.55, "longitude": -46.63, "time_zone": "America/Sao_Paulo"},
    "postal": {"code": "01000-000"},
    "subdivisions": [{"iso_code": "SP", "names": {"en": "São Paulo"}}],
    "traits": {"autonomous_system_number": 64496, "autonomous_system_organization": "Example Net"},
}
LYON = {"country": {"iso_code": "FR"}, "city": {"names": {"en": "Lyon"}}}


@pytest.fixture
async def geo(tmp_path: Path) -> AsyncIterator[Path]:
    writer = MMDBWriter(6, "Test-City", ipv4_compatible=True)
    writer.insert_network(IPSet(["203.0.113.0/24"]), SAO_PAULO)
    writer.insert_network(IPSet(["192.0.2.0/24"]), LYON)
    writer.to_db_file(str(tmp_path / "city.mmdb"))
    places = Places.open(tmp_path / "city.mmdb")
    async with GeoService(places).serving(tmp_path / "geo.sock"):
        yield tmp_path / "geo.sock"
    places.close()


async def test_request_cf(boot: Boot, geo: Path) -> None:
    guest = await boot(
        worker(
            "return Response.json([request.cf, request.headers.get('cf-ipcity'), request.headers.get('cf-timezone')])"
        ),
        services=[geo],
        sockets={"geo": str(geo)},
    )
    cf, city, timezone = (await guest.get("/", **{"x-real-ip": "203.0.113.7", "x-nearhop-country": "BR"})).json()
    expected = {
        "asn": 64496, "asOrganization": "Example Net", "city": "São Paulo", "continent": "SA", "country": "BR",
        "latitude": "-23.55", "longitude": "-46.63", "postalCode": "01000-000", "region": "São Paulo", "regionCode": "SP",
        "timezone": "America/Sao_Paulo",
    }  # fmt: skip
    assert {key: cf[key] for key in expected} == expected
    assert "isEUCountry" not in cf
    assert (city, timezone) == ("S%C3%A3o%20Paulo", "America/Sao_Paulo")
    assert (await guest.get("/", **{"x-real-ip": "192.0.2.9"})).json()[0]["isEUCountry"] == "1"
    unknown = (await guest.get("/", **{"x-real-ip": "198.51.100.1", "x-nearhop-country": "XX"})).json()[0]
    assert "country" not in unknown
    assert "city" not in unknown


async def test_vercel_s_headers(boot: Boot, geo: Path) -> None:
    guest = await boot(
        """
        const names = ["city", "country", "country-region", "latitude", "longitude", "timezone", "postal-code", "continent", "as-number"];
        export default (request) => Response.json(names.map((name) => request.headers.get("x-vercel-ip-" + name)));
        """,
        "vercel",
        services=[geo],
        sockets={"geo": str(geo)},
    )
    seen = (await guest.get("/", **{"x-real-ip": "203.0.113.7", "x-nearhop-country": "BR"})).json()
    assert seen == [
        "S%C3%A3o%20Paulo", "BR", "SP", "-23.55", "-46.63", "America/Sao_Paulo", "01000-000", "SA", "64496"
    ]  # fmt: skip


async def test_a_service_that_is_not_there_delays_nothing_and_is_told(boot: Boot, tmp_path: Path) -> None:
    nowhere = tmp_path / "geo.sock"
    guest = await boot(
        worker("return Response.json(request.cf.country)"), services=[nowhere], sockets={"geo": str(nowhere)}
    )
    assert (await guest.get("/", **{"x-real-ip": "203.0.113.7", "x-nearhop-country": "BR"})).json() == "BR"
    await guest.logged("the client's place is unknown")


async def test_the_service_is_out_of_the_program_s_reach(boot: Boot, geo: Path) -> None:
    guest = await boot(
        worker(
            f"""
            const urls = ["http+unix://{str(geo).replace("/", "%2F")}/?ip=192.0.2.9", "http://geo/?ip=192.0.2.9"];
            const said = [request.cf.city];
            for (const url of urls) said.push(await fetch(url).then((r) => r.json(), () => "shut"));
            return Response.json(said);"""
        ),
        services=[geo],
        sockets={"geo": str(geo)},
    )
    assert (await guest.get("/", **{"x-real-ip": "192.0.2.9"})).json() == ["Lyon", "shut", "shut"]
