"""gdnsd and Knot DNS from Debian's packages, serving the zone that ours serves."""

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

ZONE = "edge.example.org"
SERIAL = 42
# What stands in the zone for everybody: owner, TTL, type, data.
RECORDS = (
    ("txt", 300, "TXT", ('"hello world"', '"second"')),
    ("www", 300, "CNAME", (f"hello.{ZONE}.",)),
    ("ext", 300, "CNAME", ("www.example.net.",)),
    ("mail", 300, "MX", ("10 mx1.example.net.", "20 mx2.example.net.")),
    ("caa", 300, "CAA", ('0 issue "ca.example.net"',)),
    ("*.wild", 300, "A", ("192.0.2.9",)),
    ("x.y", 300, "A", ("192.0.2.10",)),
    ("sub", 300, "NS", (f"ns.sub.{ZONE}.",)),
    ("ns.sub", 300, "A", ("192.0.2.54",)),
    ("big", 300, "TXT", tuple(f'"{letter * 250}"' for letter in "abcdef")),
    ("many", 300, "A", tuple(f"192.0.2.{number}" for number in range(100, 140))),
)
NETS = {
    "203.0.113.0/24": "tok",
    "198.51.100.0/25": "lon",
    "192.0.2.0/24": "syd",
    "2001:db8:61::/48": "syd",
    "2001:db8:60::/48": "tok",
}
SITES = {"lon": ("192.0.2.1", "2001:db8::1"), "syd": ("192.0.2.2", "2001:db8::2"), "tok": ("192.0.2.3", "2001:db8::3")}
NAME_SERVER = ("192.0.2.53", "2001:db8::53")

_HEAD = f"""$ORIGIN {ZONE}.
@ 300 SOA ns1 hostmaster {SERIAL} 3600 600 1209600 5
@ 300 NS ns1
ns1 300 A {NAME_SERVER[0]}
ns1 300 AAAA {NAME_SERVER[1]}
alone 30 A {SITES["lon"][0]}
alone 30 AAAA {SITES["lon"][1]}
"""


def zone_text(*hello: str) -> str:
    lines = [f"{owner} {ttl} {kind} {data}" for owner, ttl, kind, datas in RECORDS for data in datas]
    return _HEAD + "\n".join([*lines, *hello]) + "\n"


class Peer:
    """A server process on an address of its own, between __enter__ and __exit__."""

    name = ""
    packages = ""

    def __init__(self, folder: Path, host: str, port: int) -> None:
        self.folder = folder
        self.at = (host, port)
        self._log = folder / f"{self.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @classmethod
    def missing(cls) -> str:
        """Say why this server cannot be run here; empty when it can."""
        return "" if shutil.which(cls.name) else f"{cls.name} is not installed (packages {cls.packages})"

    def configure(self) -> list[str]:
        """Write the configuration and return the command."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        command = self.configure()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.2)
            sock.connect(self.at)
            try:
                sock.send(b"\0\1\0\0\0\1\0\0\0\0\0\0\4edge\7example\3org\0\0\6\0\1")
                return len(sock.recv(4096)) > 12
            except OSError:
                return False


class Gdnsd(Peer):
    name = "gdnsd"
    packages = "gdnsd"

    def maps(self) -> str:
        nets = " ".join(f"{net} => [ {site} ]," for net, site in NETS.items())
        return f"m => {{ datacenters => [ lon, syd, tok ] nets => {{ {nets} }} }}"

    def configure(self) -> list[str]:
        for name in ("zones", "geoip", "run", "state"):
            (self.folder / name).mkdir(exist_ok=True)
        sites = " ".join(
            f"{site} => {{ addrs_v4 => [{ipv4}], addrs_v6 => [{ipv6}] }}" for site, (ipv4, ipv6) in SITES.items()
        )
        (self.folder / "config").write_text(f"""
            options => {{
              listen => [ {self.at[0]}:{self.at[1]} ] run_dir => {self.folder}/run state_dir => {self.folder}/state
              udp_threads => 1 tcp_threads => 1 zones_default_ttl => 300 edns_client_subnet => true
            }}
            plugins => {{ geoip => {{
              maps => {{ {self.maps()} }}
              resources => {{ hello => {{ map => m, service_types => up, dcmap => {{ {sites} }} }} }}
            }} }}
        """)
        (self.folder / "zones" / ZONE).write_text(zone_text("hello 30 DYNA geoip!hello").partition("\n")[2])
        return ["gdnsd", "-c", str(self.folder), "start"]


class Knot(Peer):
    name = "knotd"
    packages = "knot and knot-module-geoip"

    def configure(self) -> list[str]:
        (self.folder / "knot.conf").write_text(f"""
server:
  listen: {self.at[0]}@{self.at[1]}
  rundir: {self.folder}/run
  udp-workers: 1
  tcp-workers: 1
  edns-client-subnet: on
  nsid: ""
log:
  - target: stderr
    any: warning
database:
  storage: {self.folder}/db
mod-geoip:
  - id: geo
    config-file: {self.folder}/net.conf
    ttl: 30
    mode: subnet
template:
  - id: default
    storage: {self.folder}
zone:
  - domain: {ZONE}
    file: zone
    module: mod-geoip/geo
    zonefile-load: whole
    semantic-checks: off
""")
        (self.folder / "run").mkdir(exist_ok=True)
        nets = "".join(
            f"  - net: {net}\n    A: [ {SITES[site][0]} ]\n    AAAA: [ {SITES[site][1]} ]\n"
            for net, site in NETS.items()
        )
        (self.folder / "net.conf").write_text(f"hello.{ZONE}:\n{nets}")
        london = SITES["lon"]
        (self.folder / "zone").write_text(zone_text(f"hello 30 A {london[0]}", f"hello 30 AAAA {london[1]}"))
        return ["knotd", "-c", str(self.folder / "knot.conf")]
