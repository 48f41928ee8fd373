"""Other people's programs resolve through the router's process: unbound with client subnets, kdig, dig, DoH clients; dnspython reads our zone."""

import asyncio
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import dns.asyncquery
import dns.edns
import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.zone
import httpx
import pytest

from nearhop.children import spawn, stop
from tests.controlplane.router.selfsigned import write_certificate
from tests.controlplane.router.test_server import ADDRESSES, CLIENTS, HELLO, PLACES, ZONE, Setting, setting

pytestmark = pytest.mark.acceptance

SHOP = "shop.example"
RESOLVER = "127.53.9.8"
RECORDS = f"""
[[records]]
name = "www.{SHOP}"
type = "CNAME"
data = ["{HELLO}"]

[[records]]
name = "{ZONE}"
type = "CAA"
data = ['0 issue "ca.example.net"']
"""


class Full(Setting):
    """A router with two zones, records, HTTPS records and DoH."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.records = directory / "records.toml"
        self.records.write_text(RECORDS)
        certificate, key = write_certificate(directory, self.router.dns)
        self.certificate = certificate
        self.doh = f"{self.router.dns}:{self.router.port + 3}"
        config = directory / "router.toml"
        config.write_text(
            config.read_text()
            + f"""
            more_zones = ["{SHOP}"]
            records_file = "{self.records}"
            nsid = "tokyo rack 7"
            https = {{ alpn = ["h2", "http/1.1"], port = 7443 }}
            doh = {{ listen = "{self.doh}", certificate = "{certificate}", key = "{key}" }}
            """
        )


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Full]:
    async with setting(tmp_path, Full) as full:
        assert isinstance(full, Full)
        yield full


def tool(name: str, package: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed (Debian package {package})")
    return path


async def run(*words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


@asynccontextmanager
async def unbound(folder: Path, made: Full) -> AsyncIterator[int]:
    """Run unbound, which asks our router for both zones and tells it the client's subnet."""
    port = made.router.port + 9
    stub = "".join(
        f"stub-zone:\n  name: {zone}\n  stub-addr: {made.router.dns}@{made.router.port}\n" for zone in (ZONE, SHOP)
    )
    (folder / "unbound.conf").write_text(f"""
server:
  interface: {RESOLVER}@{port}
  port: {port}
  access-control: 127.0.0.0/8 allow
  module-config: "subnetcache iterator"
  send-client-subnet: {made.router.dns}
  client-subnet-always-forward: yes
  max-client-subnet-ipv4: 25
  do-not-query-localhost: no
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: "{folder}/unbound.pid"
  use-syslog: no
  logfile: "{folder}/unbound.log"
  log-queries: yes
  verbosity: 1
  so-rcvbuf: 0
remote-control:
  control-enable: no
{stub}
""")
    process = await spawn([tool("unbound", "unbound"), "-d", "-c", folder / "unbound.conf"])
    try:
        async with asyncio.timeout(15):
            while True:
                try:
                    query = dns.message.make_query(ZONE, "SOA")
                    await dns.asyncquery.udp(query, RESOLVER, port=port, timeout=0.5)
                    break
                except (dns.exception.Timeout, OSError):
                    assert process.returncode is None, (folder / "unbound.log").read_text()
                    await asyncio.sleep(0.1)
        yield port
    finally:
        await stop(process, grace_s=5)


async def resolve(port: int, name: str, client: str) -> list[str]:
    """Ask the resolver in the name of *client*, as a forwarder in front of it would."""
    address, _, length = client.partition("/")
    query = dns.message.make_query(name, "A", use_edns=0, options=[dns.edns.ECSOption(address, int(length))])
    reply = await dns.asyncquery.udp(query, RESOLVER, port=port, timeout=5)
    return [record.address for rrset in reply.answer if rrset.rdtype == dns.rdatatype.A for record in rrset]


async def test_a_recursive_resolver_sends_each_of_its_clients_to_its_nearest_node(tmp_path: Path, made: Full) -> None:
    async with unbound(tmp_path, made) as port:
        for name in PLACES:
            if ":" not in CLIENTS[name]:
                for _ in range(2):  # from us, and from its cache by subnet
                    assert await resolve(port, HELLO, CLIENTS[name]) == [ADDRESSES[name]]
        # A custom domain's name: the resolver follows the CNAME into our own zone.
        assert await resolve(port, f"www.{SHOP}", CLIENTS["tokyo-1"]) == [ADDRESSES["tokyo-1"]]
        query = dns.message.make_query(f"none.{ZONE}", "A")
        assert (await dns.asyncquery.udp(query, RESOLVER, port=port, timeout=5)).rcode() == dns.rcode.NXDOMAIN


async def test_kdig_reads_subnets_https_records_and_the_servers_name(made: Full) -> None:
    kdig = tool("kdig", "knot-dnsutils")
    at = (f"@{made.router.dns}", "-p", str(made.router.port), "+retry=0", "+time=3")
    for transport in ("+notcp", "+tcp"):
        output = await run(kdig, *at, transport, HELLO, "A", f"+subnet={CLIENTS['sydney-1']}", "+nsid", "+cookie")
        assert ADDRESSES["sydney-1"] in output
        assert "192.0.2.128/25/25" in output
        assert "tokyo rack 7" in output
        assert "WARNING" not in output.upper().replace("WARNING: RECURSION", "")
    output = await run(kdig, *at, "+short", HELLO, "HTTPS", f"+subnet={CLIENTS['tokyo-1']}")
    assert output.strip() == f"1 . alpn=h2,http/1.1 port=7443 ipv4hint={ADDRESSES['tokyo-1']}"
    assert (await run(kdig, *at, "+short", ZONE, "CAA")).strip() == '0 issue "ca.example.net"'
    assert (
        await run(kdig, *at, "+short", "+noidn", f"v3--{HELLO}", "A", f"+subnet={CLIENTS['tokyo-1']}")
        == f"{ADDRESSES['tokyo-1']}\n"
    )


async def test_dig_over_tcp_keeps_its_connection_and_gets_cookies(made: Full) -> None:
    dig = tool("dig", "dnsutils")
    at = (f"@{made.router.dns}", "-p", str(made.router.port), "+tries=1", "+time=3")
    names = [HELLO, ZONE, f"www.{SHOP}"]
    output = await run(dig, *at, "+tcp", "+keepopen", "+cookie", *names)
    assert output.count("status: NOERROR") == 3
    assert output.count("; COOKIE:") == 3
    assert "WARNING: Message" not in output


async def test_doh_clients_get_what_dns_clients_get(made: Full) -> None:
    kdig = tool("kdig", "knot-dnsutils")
    host, _, port = made.doh.rpartition(":")
    for method in ("+https", "+https-get"):
        words = [method, "+https=/dns-query"] if method == "+https" else ["+https=/dns-query", method]
        output = await run(
            kdig,
            f"@{host}",
            "-p",
            port,
            *words,
            f"+tls-ca={made.certificate}",
            HELLO,
            "A",
            f"+subnet={CLIENTS['tokyo-1']}",
        )
        assert ADDRESSES["tokyo-1"] in output
        assert "HTTP/2" in output
    query = dns.message.make_query(HELLO, "A", id=0)
    async with httpx.AsyncClient(verify=False, trust_env=False) as client:  # the certificate is kdig's matter
        for url in (f"https://{made.doh}/dns-query", f"{made.router.url}/dns-query"):
            response = await client.post(
                url, content=query.to_wire(), headers={"content-type": "application/dns-message"}
            )
            assert dns.message.from_wire(response.content).answer[0][0].address in ADDRESSES.values()


async def test_what_is_published_is_a_sane_zone(made: Full) -> None:
    """As named-checkzone would look at it: one SOA, name servers with addresses in the zone, no CNAME beside other data."""
    for zone in (ZONE, SHOP):
        (soa,) = (await made.router.ask(None, name=zone, kind="SOA")).answer
        (servers,) = (await made.router.ask(None, name=zone, kind="NS")).answer
        assert len(soa) == 1
        assert soa[0].mname in {record.target for record in servers}
        for record in servers:
            assert record.target.is_subdomain(dns.name.from_text(zone))
            assert (await made.router.ask(None, name=record.target.to_text())).answer
        addresses = [(await made.router.ask(None, name=record.target.to_text())).answer[0] for record in servers]
        text = "\n".join(rrset.to_text() for rrset in (soa, servers, *addresses)) + "\n"
        assert dns.zone.from_text(text, origin=zone, relativize=False, check_origin=True)
    assert (await made.router.ask(None, name=f"www.{SHOP}", kind="MX")).answer[0].rdtype == dns.rdatatype.CNAME


async def test_records_are_read_anew_and_bad_ones_change_nothing(made: Full) -> None:
    async def caa() -> str:
        return " ".join(rrset.to_text() for rrset in (await made.router.ask(None, name=ZONE, kind="CAA")).answer)

    async def refused() -> bool:
        async with httpx.AsyncClient(trust_env=False) as client:
            return 'event="records_refused"} 1' in (await client.get(f"{made.router.url}/metrics")).text

    assert "ca.example.net" in await caa()
    made.records.write_text(RECORDS.replace("CNAME", "CNAEM").replace('"CAA"', '"CAB"'))
    async with asyncio.timeout(10):
        while not await refused():
            await asyncio.sleep(0.05)
    assert "ca.example.net" in await caa()
    assert "CNAEM" in made.router.log
    assert "CAB" in made.router.log
    made.records.write_text(RECORDS.replace("ca.example.net", "other.example.net"))
    async with asyncio.timeout(10):
        while "other.example.net" not in await caa():
            await asyncio.sleep(0.05)


async def test_two_routers_share_a_port_and_one_goes_on_alone(tmp_path: Path) -> None:
    """Each client stays with one of them, so many ask; when one stops, the other answers all."""
    secrets = tmp_path / "cookies"
    secrets.write_text("ab" * 16)
    made = Setting(tmp_path)
    config = tmp_path / "router.toml"
    config.write_text(config.read_text() + f'share_port = true\ncookie_secrets_file = "{secrets}"\n')
    second = tmp_path / "second.toml"
    http = f":{made.router.port + 1}"
    second.write_text(
        config.read_text()
        .replace('"r1"', '"r2"')
        .replace("/state", "/state2")
        .replace(http, f":{made.router.port + 2}")
    )
    await made.plane.start()
    await made.ingresses.start(*PLACES)
    with (tmp_path / "second.log").open("wb") as log:
        other = await spawn([sys.executable, "-m", "controlplane.router", "--config", second], stdout=log, stderr=log)
    try:
        await made.router.start()
        await made.all_up()
        urls = [f"http://{made.router.dns}:{made.router.port + offset}" for offset in (1, 2)]
        await _ready(urls[1])
        for _ in range(60):
            assert await made.router.node_for("tokyo-1") == "tokyo-1"
        asked = [await _messages(url) for url in urls]
        assert min(asked) > 0
        assert sum(asked) == 60
        assert await stop(other, grace_s=10) == 0
        for _ in range(20):
            assert await made.router.node_for("tokyo-1", tcp=True) == "tokyo-1"
            assert await made.router.node_for("london-1") == "london-1"
    finally:
        await stop(other, grace_s=10)
        await made.router.stop()
        await made.plane.stop()
        await made.ingresses.stop()


async def _ready(url: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(20):
        while True:
            try:
                if (await client.get(f"{url}/healthz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)


async def _messages(url: str) -> int:
    async with httpx.AsyncClient(trust_env=False) as client:
        text = (await client.get(f"{url}/metrics")).text
    (line,) = [line for line in text.splitlines() if line.startswith('nearhop_dns_messages_total{transport="udp"}')]
    return int(line.rpartition(" ")[2])


async def test_a_port_of_doh_that_is_taken_ends_the_router(tmp_path: Path) -> None:
    full = Full(tmp_path)
    host, _, port = full.doh.rpartition(":")
    with socket.socket() as taken:
        taken.bind((host, int(port)))
        taken.listen()
        process = await spawn(
            [sys.executable, "-m", "controlplane.router", "--config", tmp_path / "router.toml"],
            stderr=asyncio.subprocess.PIPE,
        )
        _, error = await process.communicate()
    assert process.returncode == 3
    assert full.doh in error.decode()
