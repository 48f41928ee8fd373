"""The whole configuration against a golden file, HAProxy's own check of it, and the rules seen from outside."""

import subprocess
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from nearhop import engines
from node.haproxy import maps, render, settings
from node.plan.records import Route

GOLDEN = Path(__file__).with_name("golden") / "haproxy.cfg"
INGRESS = render.Ingress(
    node="tokyo-1",
    region="tokyo",
    listen=("192.0.2.1:80", "[2001:db8::1]:80"),
    slots=2,
    run_dir="/run/nearhop",
    map_dir="/var/lib/nearhop/haproxy",
    trusted_proxies=(ip_network("198.51.100.0/24"), ip_network("2001:db8:1::/48")),
    proxy_protocol=(ip_network("203.0.113.0/24"),),
    tls_listen=("192.0.2.1:443",),
    redirect_to_https=True,
    cache_mib=64,
)


def test_the_configuration_is_the_golden_one() -> None:
    assert render.config(INGRESS) == GOLDEN.read_text()


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("folder", ["maps", """it's a "map", #1 (50 %) $HOME \\n é"""])
def test_haproxy_accepts_it(tmp_path: Path, folder: str, plain: bool) -> None:
    folder_of_maps = tmp_path / folder
    folder_of_maps.mkdir()
    ingress = replace(INGRESS, run_dir=str(tmp_path), map_dir=str(folder_of_maps), slots=64)
    if plain:
        ingress = replace(ingress, trusted_proxies=(), proxy_protocol=(), tls_listen=(), cache_mib=0)
    paths = render.paths(ingress)
    Path(paths.config).write_text(render.config(ingress))
    Path(paths.hosts).write_text("".join(hosts({"a.example.org": Route("a", 1, None, 1000)})))
    Path(paths.paths).write_text("")
    Path(paths.picks).write_text("")
    Path(paths.assets).write_text("")
    Path(paths.caching).write_text("")
    Path(paths.walls).write_text("")
    Path(paths.certificates).write_text("")
    Path(paths.reasons).write_text(maps.reasons_map({3: "exceeded_cpu"}))
    Path(paths.countries).write_text("192.0.2.0/24 JP\n2001:db8::/32 GB\n")
    checked = subprocess.run(
        [engines.find("haproxy").path, "-c", "-f", settings.CONFIG],
        cwd=folder_of_maps,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    told = [line for line in checked.stderr.splitlines() if "WARNING" in line and "no SSL certificate" not in line]
    assert told == []


def hosts(routes: Mapping[str, Route]) -> list[str]:
    """Return the lines of the host map, as HAProxy starts from them."""
    board = maps.Board()
    board.take(routes, ())
    return sorted(maps.lines(board.entries[settings.HOSTS]).values())


def test_maps() -> None:
    routes = {"b.example.org": Route("two", 2, 7, 1500), "a.example.org": Route("a", 0, None, 1000)}
    assert hosts(routes) == ["a.example.org none|a|0|1000|no_sandbox\n", "b.example.org s007|two|2|1500\n"]
    assert maps.reasons_map({4: "exceeded_cpu"}) == "s004 exceeded_cpu\n"
    assert hosts({}) == []
    assert hosts({"a.nearhop.test": Route("a", 3, 7, 900)}) == [
        "a.nearhop.test s007|a|3|900\n",
        "v3--a.nearhop.test s007|a|3|900\n",
    ]
