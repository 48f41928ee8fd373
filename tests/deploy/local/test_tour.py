"""The tour's questions, and its judgement of the answers."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import dns.edns
import dns.message
import dns.rcode
import dns.rrset
import pytest
from rich.console import Console

from controlplane.model import Location
from deploy.local import tour
from deploy.local.geo import Client
from deploy.local.regions import REGIONS
from deploy.local.settings import Settings
from deploy.local.web import Answer

SETTINGS = Settings.of(
    state_dir=Path("/s"), regions="tokyo,london", base_port=7400, node_network="127.91.3", geoip=None
)
TOKYO, LONDON = SETTINGS.nodes
CLIENT = Client(REGIONS["tokyo"], "192.0.2.7", Location(35.0, 139.0), "JP", "Tokyo")
GOOD = Answer(200, {"x-nearhop-region": "tokyo"}, "hi")


class _Server(asyncio.DatagramProtocol):
    def __init__(self, answer: Callable[[dns.message.Message], dns.message.Message]) -> None:
        self.answer = answer
        self.queries: list[dns.message.Message] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        self.queries.append(query)
        self.transport.sendto(self.answer(query).to_wire(), addr)


@asynccontextmanager
async def server(
    answer: Callable[[dns.message.Message], dns.message.Message],
) -> AsyncIterator[tuple[str, _Server]]:
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Server(answer), local_addr=("127.91.3.9", 0)
    )
    try:
        host, port = transport.get_extra_info("sockname")
        yield f"{host}:{port}", protocol
    finally:
        transport.close()


def addressed(query: dns.message.Message) -> dns.message.Message:
    response = dns.message.make_response(query)
    response.answer.append(dns.rrset.from_text(query.question[0].name, 20, "IN", "A", "127.91.3.1"))
    return response


def refused(query: dns.message.Message) -> dns.message.Message:
    response = dns.message.make_response(query)
    response.set_rcode(dns.rcode.REFUSED)
    return response


async def test_a_client_asks_with_its_network() -> None:
    async with server(addressed) as (endpoint, protocol):
        assert await tour.resolve(endpoint, "hello.nearhop.test", "192.0.2.7") == "127.91.3.1"
    [subnet] = protocol.queries[0].options
    assert isinstance(subnet, dns.edns.ECSOption)
    assert (subnet.address, subnet.srclen) == ("192.0.2.0", 24)


async def test_an_answer_without_an_address_is_an_error() -> None:
    async with server(refused) as (endpoint, _):
        with pytest.raises(OSError, match="REFUSED without an address"):
            await tour.resolve(endpoint, "hello.nearhop.test", "192.0.2.7")


@pytest.mark.parametrize(
    ("node", "answer", "wrong"),
    [
        (TOKYO, GOOD, ""),
        (LONDON, GOOD, "tokyo is nearer"),
        (TOKYO, Answer(503, {"x-nearhop-reason": "exceeded_cpu"}, ""), "HTTP 503 exceeded_cpu"),
        (TOKYO, Answer(200, {"x-nearhop-region": "london"}, ""), "answered by london"),
        (TOKYO, Answer(200, {}, ""), "answered by nobody"),
    ],
)
def test_only_the_nearest_node_is_right(node: tour.NodeSettings, answer: Answer, wrong: str) -> None:
    assert tour.judge(CLIENT, node, answer, SETTINGS.nodes) == wrong


def test_a_drained_node_is_not_expected_to_answer() -> None:
    assert tour.judge(CLIENT, LONDON, Answer(200, {"x-nearhop-region": "london"}, ""), [LONDON]) == ""


async def test_a_row_says_what_went_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tour, "_TIMEOUT_S", 0.1)
    async with server(addressed) as (endpoint, _):
        port = int(endpoint.rsplit(":", 1)[1])
        settings = Settings(Path("/s"), SETTINGS.nodes, base_port=port - 53)
        # The router is asked on 127.0.0.1, where nobody is.
        [row] = await tour.walk(settings, "hello.nearhop.test", [CLIENT], settings.nodes, within_s=0)
    assert row.wrong.startswith("no DNS answer")


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_never_wraps(width: int) -> None:
    rows = [
        tour.Row(CLIENT, "127.91.3.1", "sanfrancisco", 12345.6, 200, "a long body " * 20),
        tour.Row(CLIENT, "127.91.3.1", "tokyo", 1.0, None, "", "tokyo is nearer, and more such words " * 5),
        tour.Row(CLIENT, wrong="no DNS answer: \x1b[31mREFUSED"),
    ]
    stream = io.StringIO()
    Console(file=stream, width=width, markup=False).print(tour.table(rows, width))
    lines = stream.getvalue().rstrip("\n").split("\n")
    assert all(len(line) <= width for line in lines)
    assert len([line for line in lines if "192.0.2.7" in line]) == len(rows)
    assert "\x1b" not in stream.getvalue()
