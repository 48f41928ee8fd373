"""`nearhop up` and `nearhop down` as a user runs them: real parts, own addresses, nothing left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dns.edns
import dns.message
import dns.query
import httpx
import psutil
import pytest

from deploy.local.regions import REGIONS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from mmdb_writer import MMDBWriter
    from netaddr import IPSet

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]

NEARHOP = (sys.executable, "-P", "-c", "from controlplane.cli.main import main; main()")
# Far from the default ports and from the ephemeral ones, so that it runs beside another cluster.
PORTS = ("--base-port", "26400", "--node-network", "127.91.6")


def nearhop(folder: Path, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run(
        [*NEARHOP, *words],
        check=False,
        env={**os.environ, "NEARHOP_STATE_DIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=200,
        stdin=subprocess.DEVNULL,
    )
    assert not check or ran.returncode == 0, f"{words}: {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
    return ran


def eventually(check: Callable[[], object], within: float = 30.0) -> None:
    deadline = time.monotonic() + within
    while not check():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def processes(folder: Path) -> list[psutil.Process]:
    """Everything that runs with the folder, or a path below it, on its command line."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in word for word in process.info["cmdline"] or ())
    ]


def holder(folder: Path) -> int:
    return int(json.loads((folder / "lock").read_text())["pid"])


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "state"
    yield path
    nearhop(path, "down", "--purge", check=False)
    assert processes(path) == []


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The option for a small geo database: the nodes need no time to compute their country map from it."""
    writer = MMDBWriter(6, "Test-City", ipv4_compatible=True)
    for name, country in (("tokyo", "JP"), ("london", "GB")):
        region = REGIONS[name]
        place = {"latitude": region.location.latitude, "longitude": region.location.longitude}
        record = {"location": place, "country": {"iso_code": country}, "city": {"names": {"en": name.title()}}}
        writer.insert_network(IPSet([f"{region.addresses[0]}/16"]), record)
    path = tmp_path_factory.mktemp("geo") / "city.mmdb"
    writer.to_db_file(str(path))
    return "--geoip", str(path)


def status(folder: Path) -> Any:
    return json.loads(nearhop(folder, "status", "--json").stdout)


def test_a_cluster_comes_up_shows_the_nearest_nodes_and_goes_down_without_a_trace(folder: Path) -> None:
    up = nearhop(folder, "up", "--detach", *PORTS)
    rows = [line for line in up.stdout.splitlines() if line.startswith(("✓", "✗"))]
    assert len(rows) == 5
    for row, region in zip(rows, ("tokyo", "london", "virginia", "sydney", "saopaulo"), strict=True):
        assert row.startswith("✓"), up.stdout
        assert f"Hi from {region} to" in row
    assert "CC BY 4.0" in up.stdout

    told = status(folder)
    assert told["control_plane"] == "127.0.0.1:26400"
    assert told["router"] == {"dns": "127.0.0.1:26453", "http": "127.0.0.1:26454"}
    assert {node["region"]: (node["health"], node["versions"]) for node in told["nodes"]} == {
        region: ("healthy", {"hello": 1}) for region in ("tokyo", "london", "virginia", "sydney", "saopaulo")
    }
    assert told["functions"][0]["url"] == "http://hello.nearhop.test:26480/"

    for node in told["nodes"]:
        # The address that the table showed, and the node's own greeting.
        client = REGIONS[node["region"]].addresses[0]
        query = dns.message.make_query("hello.nearhop.test", "A", use_edns=0, options=[dns.edns.ECSOption(client, 24)])
        ((record,),) = dns.query.udp(query, "127.0.0.1", port=26453, timeout=5).answer
        address, _, port = node["ingress"].rpartition(":")
        assert record.address == address
        headers = {"host": f"hello.nearhop.test:{port}", "x-forwarded-for": client}
        body = httpx.get(f"http://{address}:{port}/", headers=headers, trust_env=False).text
        assert body.startswith(f"Hi from {node['region']} to ")

    again = nearhop(folder, "up", *PORTS)
    assert "A cluster runs already" in again.stdout
    assert "127.0.0.1:26400" in again.stdout

    nearhop(folder, "down")
    assert processes(folder) == []
    assert nearhop(folder, "status", check=False).returncode == 4
    nearhop(folder, "down", "--purge")
    assert not folder.exists()


def test_a_killed_cluster_leaves_no_process_and_comes_up_again(folder: Path, small: tuple[str, str]) -> None:
    nearhop(folder, "up", "--detach", "--regions", "tokyo", *small, *PORTS)
    os.kill(holder(folder), signal.SIGKILL)
    eventually(lambda: not processes(folder))
    up = nearhop(folder, "up", "--detach", "--regions", "tokyo", *small, *PORTS)
    assert "✓ Tokyo" in up.stdout, up.stdout
    assert "Hi from tokyo to JP" in up.stdout
    assert status(folder)["functions"][0]["version"] == 1  # the sample was there already


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_foreground_and_every_child(
    folder: Path, tmp_path: Path, small: tuple[str, str], number: signal.Signals
) -> None:
    out = tmp_path / "out"
    with out.open("w") as stream:
        process = subprocess.Popen(
            [*NEARHOP, "up", "--regions", "tokyo", *small, *PORTS],
            env={**os.environ, "NEARHOP_STATE_DIR": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )
        eventually(lambda: "Ctrl-C stops everything" in out.read_text(), within=120)
        process.send_signal(number)
        assert process.wait(60) == 0, out.read_text()
    assert processes(folder) == []


def test_an_end_while_it_starts_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with out.open("w") as stream:
        process = subprocess.Popen(
            [*NEARHOP, "up", *PORTS],
            env={**os.environ, "NEARHOP_STATE_DIR": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )
        eventually(lambda: "controlplane" in out.read_text(), within=60)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, out.read_text()
    assert "Traceback" not in out.read_text()
    assert processes(folder) == []


def test_a_port_in_use_is_told_before_anything_starts(folder: Path) -> None:
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 26401))
        holder.listen()
        ran = nearhop(folder, "up", "--detach", *PORTS, check=False)
    assert ran.returncode == 1
    assert f"etcd wants 127.0.0.1:26401/tcp, which process {os.getpid()} (" in ran.stderr
    assert not (folder / "etcd").exists()


def test_a_part_that_cannot_start_is_told_with_the_end_of_its_log(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mmdb"
    broken.write_bytes(b"not a database")
    ran = nearhop(folder, "up", "--detach", "--geoip", str(broken), *PORTS, check=False)
    assert ran.returncode == 1
    assert "controlplane did not become ready" in ran.stderr
    assert "broken.mmdb" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert processes(folder) == []


def test_a_killed_part_is_started_again_by_itself(folder: Path, small: tuple[str, str]) -> None:
    nearhop(folder, "up", "--detach", "--regions", "tokyo,london", *small, *PORTS)
    [etcd] = [process for process in processes(folder) if "--name=local" in process.cmdline()]
    etcd.kill()
    eventually(lambda: "etcd was ended by signal 9" in (folder / "logs" / "up.log").read_text())
    eventually(lambda: nearhop(folder, "status", "--json", check=False).returncode == 0)
