"""The commands against a gRPC server: what they print, where, and with which exit status."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.controlplane.geoip.files import LYON, OSAKA, write_city

if TYPE_CHECKING:
    from tests.controlplane.geoip.files import LYON, OSAKA, write_city
from tests.controlplane.cli.conftest import Fleet, Terminal

HELLO = "export default { fetch() { return new Response('hello') } }\n"


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    path = tmp_path / "my worker" / "hello.js"
    path.parent.mkdir()
    path.write_text(HELLO)
    return path


async def test_deploy_uploads_once_and_tells_the_nodes_progress(
    terminal: "Terminal", fleet: "Fleet", hello: Path
) -> None:
    first = await terminal.run("deploy", hello, "--message", "first")
    assert (first.status, fleet.uploads) == (0, 1)
    assert first.out == "hello version 1 is served by 2 nodes\nhttp://hello.nearhop.test:7480/\n"
    assert first.err.splitlines() == [
        "london-1 (london): pending",
        "tokyo-1 (tokyo): pending",
        "london-1 (london): active",
        "tokyo-1 (tokyo): active",
    ]
    second = await terminal.run("deploy", hello, "--json")
    assert fleet.uploads == 1
    assert second.json["version"] == 2
    assert second.json["phase"] == "complete"
    assert second.json["url"] == "http://hello.nearhop.test:7480/"
    assert [node["state"] for node in second.json["nodes"]] == ["active", "active"]
    [version, _] = fleet.functions["hello"]
    assert (version.message, version.entrypoint) == ("first", "hello.js")
    assert fleet.bundles[version.digest].decode() == HELLO


async def test_a_refused_deployment_fails_with_each_nodes_words(
    terminal: "Terminal", fleet: "Fleet", hello: Path
) -> None:
    assert (await terminal.run("deploy", hello)).status == 0
    fleet.refuse = "TypeError: \x1b[31mx\x1b[0m is not a function\n    at [bold]main.js[/bold]:1"
    refused = await terminal.run("deploy", hello)
    assert refused.status == 1
    assert "error: the deployment of hello failed. 2 nodes refused it. Version 1 goes on serving" in refused.err
    assert "london-1, tokyo-1:" in refused.err
    assert r"TypeError: \x1b[31mx\x1b[0m is not a function" in refused.err
    assert "at [bold]main.js[/bold]:1" in refused.err
    assert "\x1b" not in refused.err + refused.out
    as_json = await terminal.run("deploy", hello, "--json")
    assert (as_json.status, as_json.json["phase"]) == (1, "failed")


async def test_wrong_input_is_told_field_by_field(terminal: "Terminal", hello: Path) -> None:
    refused = await terminal.run("deploy", hello, "--name", "Bad--Name!")
    assert refused.status == 2
    assert "error: the control plane refused the input" in refused.err
    assert "  name: may hold only a-z, 0-9 and inner hyphens" in refused.err
    assert "Traceback" not in refused.err


async def test_what_cannot_be_deployed_is_told_without_a_control_plane(terminal: "Terminal", tmp_path: Path) -> None:
    (tmp_path / "x.js").write_text("export const x = 1;")
    (tmp_path / "1.js").write_text(HELLO)
    for words, said in (
        (["deploy", "nope.js"], "nope.js does not exist"),
        (["deploy", str(tmp_path / "x.js")], "no handler"),
        (["deploy", str(tmp_path / "1.js")], "--name"),
        (["deploy"], "Missing argument"),
        (["deploy", "x.js", "--dialect", "perl"], "perl"),
    ):
        ran = await terminal.run(*words)
        assert ran.status == 2, words
        assert said in ran.err
        assert ran.out == ""
        assert "Traceback" not in ran.err


async def test_status_has_its_promised_shape(terminal: "Terminal", hello: Path) -> None:
    await terminal.run("deploy", hello)
    ran = await terminal.run("status", "--json")
    assert ran.status == 0
    status = ran.json
    assert status["control_plane"] == terminal.endpoint
    assert status["router"] == {"dns": "127.0.0.1:7453", "http": "127.0.0.1:7454"}
    assert status["dashboard"] is None
    node = status["nodes"][1]
    assert {key: node[key] for key in ("id", "region", "location", "ingress", "health", "versions")} == {
        "id": "tokyo-1",
        "region": "tokyo",
        "location": [1.5, 2.5],
        "ingress": "127.77.0.2:7480",
        "health": "healthy",
        "versions": {"hello": 1},
    }
    assert status["functions"] == [
        {"name": "hello", "version": 1, "hostname": "hello.nearhop.test", "url": "http://hello.nearhop.test:7480/"}
    ]
    people = await terminal.run("status")
    assert people.status == 0
    for part in (
        terminal.endpoint,
        "127.0.0.1:7453",
        "tokyo-1",
        "healthy",
        "hello 1",
        "http://hello.nearhop.test:7480/",
    ):
        assert part in people.out


async def test_status_works_without_routers_and_functions(terminal: "Terminal", fleet: "Fleet") -> None:
    fleet.routers = []
    ran = await terminal.run("status", "--json")
    assert ran.json["router"] == {"dns": None, "http": None}
    assert ran.json["functions"] == []
    assert "none is connected" in (await terminal.run("status")).out


async def test_rollback_goes_to_the_version_before_or_the_named_one(
    terminal: "Terminal", fleet: "Fleet", hello: Path
) -> None:
    for _ in range(3):
        await terminal.run("deploy", hello)
    assert "hello version 2 is served by 2 nodes" in (await terminal.run("rollback", "hello")).out
    assert fleet.active["hello"] == 2
    assert (await terminal.run("rollback", "hello", "--to", "3", "--json")).json["version"] == 3
    await terminal.run("rollback", "hello", "--to", "1")
    nothing = await terminal.run("rollback", "hello")
    assert nothing.status == 1
    assert "there is no version before the present one" in nothing.err


async def test_functions_and_versions_are_listed_shown_and_deleted(terminal: "Terminal", hello: Path) -> None:
    assert "No function is deployed yet" in (await terminal.run("functions", "list")).out
    await terminal.run("deploy", hello, "-m", "the first\nversion")
    assert [function["name"] for function in (await terminal.run("functions", "list", "--json")).json] == ["hello"]
    shown = (await terminal.run("functions", "show", "hello", "--json")).json
    assert shown["nodes"] == {"london-1": 1, "tokyo-1": 1}
    assert shown["versions"][0]["created_at"] == "2023-11-14T22:13:20.000+00:00"
    listed = (await terminal.run("versions", "list", "hello", "--json")).json
    assert [version["number"] for version in listed] == [1]
    assert r"the first\nversion" in (await terminal.run("versions", "list", "hello")).out
    refused = await terminal.run("functions", "delete", "hello")
    assert (refused.status, "--yes" in refused.err) == (2, True)
    assert (await terminal.run("functions", "delete", "hello", "--yes")).status == 0
    gone = await terminal.run("functions", "show", "hello")
    assert gone.status == 1
    assert "there is no function hello" in gone.err


async def test_nodes_are_listed_drained_and_taken_back(terminal: "Terminal") -> None:
    drained = await terminal.run("nodes", "drain", "tokyo-1")
    assert (drained.status, "tokyo-1 is draining" in drained.out) == (0, True)
    assert [node["health"] for node in (await terminal.run("nodes", "list", "--json")).json] == ["healthy", "draining"]
    assert (await terminal.run("nodes", "uncordon", "tokyo-1", "--json")).json[0]["health"] == "healthy"
    assert "draining" not in (await terminal.run("nodes", "list")).out
    assert (await terminal.run("nodes", "drain", "nope")).status == 1


async def test_route_explain_tells_every_candidate(terminal: "Terminal") -> None:
    explained = (await terminal.run("route", "explain", "192.0.2.7", "--json")).json
    assert explained["client"]["city"] == "Tokyo"
    assert [candidate["distance_km"] for candidate in explained["candidates"]] == [7.25, None]
    people = (await terminal.run("route", "explain", "192.0.2.7")).out
    assert "192.0.2.7 is in Tokyo, JP (network 192.0.2.0/24, by city)" in people
    assert "because tokyo-1 is the nearest healthy node" in people


async def test_route_explain_asks_for_networks_hosts_countries_and_resolvers(
    terminal: "Terminal", fleet: "Fleet"
) -> None:
    for words, expected in (
        (["192.0.2.0/24", "--resolver", "198.51.100.53"], ("192.0.2.0/24", "", "198.51.100.53")),
        (["2001:db8::1", "--as-country", "jp"], ("2001:db8::1", "JP", "")),
        (["--as-country", "NZ"], ("", "NZ", "")),
        (["localhost"], ("127.0.0.1", "", "")),
        (["192.0.2.300"], ("192.0.2.300", "", "")),
    ):
        assert (await terminal.run("route", "explain", *words)).status == 0
        asked = fleet.asked[-1]
        assert (
            asked.ip.replace("::1", "127.0.0.1") if words == ["localhost"] else asked.ip,
            asked.country,
            asked.resolver,
        ) == expected
    assert (await terminal.run("route", "explain")).status == 2
    nowhere = await terminal.run("route", "explain", "nowhere.invalid")
    assert (nowhere.status, "nowhere.invalid has no address" in nowhere.err) == (2, True)


async def test_route_simulate_tells_shares_distances_and_what_a_drain_moves(
    terminal: "Terminal", fleet: "Fleet"
) -> None:
    told = (await terminal.run("route", "simulate", "--sample", "500", "--seed", "7", "--json")).json
    assert (fleet.asked[-1].sample, fleet.asked[-1].seed) == (500, 7)
    assert (told["sample"], told["drained"], told["moved"], told["now"]["nodes"][1]["p95_km"]) == (
        500,
        None,
        None,
        None,
    )
    people = (await terminal.run("route", "simulate", "--drain", "tokyo-1", "--function", "hello")).out
    assert (fleet.asked[-1].drain, fleet.asked[-1].function, fleet.asked[-1].sample) == ("tokyo-1", "hello", 10_000)
    assert "10,000 clients" in people
    assert "without tokyo-1 another node gets 25.0% of the clients" in people
    assert "25.0% of the clients are at no known place" in people
    assert "1,200 km" in people


async def test_geoip_status_lookup_and_use(terminal: "Terminal", tmp_path: Path) -> None:
    present, newer, older = (tmp_path / f"{name}.mmdb" for name in ("present", "newer", "older"))
    write_city(present, OSAKA)
    write_city(newer, LYON, built=2_000_086_400)
    write_city(older, LYON, built=1_900_000_000)
    config = tmp_path / "router.toml"
    config.write_text(f'id = "r1"\ngeoip_database = "{present}"\nplaces_file = "{tmp_path / "places.toml"}"\n')
    (tmp_path / "places.toml").write_text("[prefix]\n")
    files = (await terminal.run("geoip", "status", "--config", config, "--json")).json
    assert [(row["what"], row["kind"], row["fault"]) for row in files] == [
        ("city database", "Test-City", None),
        ("places file", None, "prefix: is not known"),
    ]
    assert files[0]["built"] == "2033-05-18T03:33:20+00:00"
    assert "Test-City" in (await terminal.run("geoip", "status", "--config", config)).out
    (tmp_path / "places.toml").write_text('[prefixes]\n"203.0.113.0/24" = { region = "tokyo" }\n')
    found = (await terminal.run("geoip", "lookup", "198.51.100.1", "203.0.113.1", "--config", config, "--json")).json
    assert (found[0]["location"], found[1]["target"]) == ([34.69, 135.5], "region tokyo")
    assert "34.69, 135.50" in (await terminal.run("geoip", "lookup", "198.51.100.1", "--config", config)).out
    assert (await terminal.run("geoip", "lookup", "nobody", "--config", config)).status == 2

    refused = await terminal.run("geoip", "use", older, "--config", config)
    assert (refused.status, "days before the one in use" in refused.err) == (1, True)
    assert (await terminal.run("geoip", "use", newer, "--config", config)).status == 0
    assert present.read_bytes() == newer.read_bytes()
    assert (await terminal.run("geoip", "use", older, "--config", config, "--force")).status == 0
    assert present.read_bytes() == older.read_bytes()
    assert (await terminal.run("geoip", "use", config, "--config", config)).status == 1
    assert (tmp_path / "present.mmdb.forced").exists()
    assert not (tmp_path / "present.mmdb.partial").exists()


async def test_a_store_that_is_down_is_told_as_the_control_plane_tells_it(
    terminal: "Terminal", fleet: "Fleet", hello: Path
) -> None:
    fleet.down = True
    for words in (["status", "--json"], ["deploy", str(hello)], ["functions", "list"]):
        ran = await terminal.run(*words)
        assert (ran.status, ran.out) == (4, "")
        assert "UNAVAILABLE" in ran.err
        assert "the store does not answer" in ran.err


async def test_a_control_plane_that_is_not_there_is_told(terminal: "Terminal") -> None:
    ran = await terminal.run("status", "--endpoint", "127.91.4.2:1")
    assert ran.status == 4
    assert "the control plane at 127.91.4.2:1 cannot be reached" in ran.err
    wrong = await terminal.run("status", "--endpoint", "nonsense")
    assert (wrong.status, "HOST:PORT" in wrong.err) == (2, True)


async def test_of_several_control_planes_any_that_answers_will_do(terminal: "Terminal", hello: Path) -> None:
    alive = terminal.endpoint.rpartition(":")[2]
    for words in (
        ["--endpoint", f"127.91.4.2:1,{terminal.endpoint}"],
        ["--endpoint", terminal.endpoint, "--endpoint", "127.91.4.2:1"],
        ["--endpoint", f"[::1]:1,{terminal.endpoint}"],  # of both families
    ):
        ran = await terminal.run("functions", "list", *words)
        assert ran.status == 0, ran.err
    ran = await terminal.run("deploy", str(hello), NEARHOP_ENDPOINT=f"localhost:1,127.91.4.1:{alive}")
    assert ran.status == 0, ran.err
    ran = await terminal.run("status", "--endpoint", "127.91.4.2:1,127.91.4.3:1")
    assert ran.status == 4
    assert "127.91.4.2:1,127.91.4.3:1 cannot be reached" in ran.err
    wrong = await terminal.run("status", "--endpoint", f"{terminal.endpoint},nonsense")
    assert (wrong.status, "'nonsense' is no endpoint" in wrong.err) == (2, True)


async def test_without_a_cluster_the_next_step_is_told(terminal: "Terminal", tmp_path: Path) -> None:
    terminal.endpoint = ""
    ran = await terminal.run("status", "--state-dir", str(tmp_path / "none"))
    assert ran.status == 4
    assert "nearhop up" in ran.err
    assert not (tmp_path / "none").exists()


async def test_help_tells_the_exit_statuses_and_does_not_load_grpc(terminal: "Terminal") -> None:
    ran = await terminal.run("--help", PYTHONPROFILEIMPORTTIME="1")
    assert ran.status == 0
    assert "Exit status: 0 done" in ran.out
    imported = {line.rpartition("|")[2].strip() for line in ran.err.splitlines()}
    assert "typer" in imported
    assert not imported & {"grpc", "grpc.aio", "maxminddb", "dns.message", "psutil", "google.protobuf"}


@pytest.mark.parametrize("role", ["controlplane", "router", "node"])
async def test_a_role_needs_its_configuration(terminal: "Terminal", role: str) -> None:
    assert (await terminal.run(role)).status == 2
    assert (await terminal.run(role, "--config", "/nope.toml")).status == 2


async def test_a_role_becomes_the_part_itself(terminal: "Terminal", tmp_path: Path) -> None:
    config = tmp_path / "router.toml"
    config.write_text("nonsense = 1\n")
    ran = await terminal.run("router", "--config", str(config))
    assert ran.status == 3  # the part's own status for a configuration that it refuses
    assert "nonsense" in ran.err
