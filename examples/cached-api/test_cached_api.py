"""cached-api on a real cluster, before an API that counts its calls."""

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import pytest_asyncio

from tests.harness.cluster import Cluster
from tests.harness.eventually import eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="session")]

HERE = Path(__file__).parent
ORIGIN_ADDRESS = "127.0.99.1"  # the harness exempts it from what functions may not reach


class Origin:
    def __init__(self) -> None:
        self.url = ""
        self.calls: list[str] = []


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    origin = Origin()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # the name that http.server calls
            origin.calls.append(self.path)
            body = f"call {len(origin.calls)}".encode()
            self.send_response(500 if self.path == "/broken" else 200)
            self.send_header("content-length", str(len(body)))
            self.send_header("set-cookie", "session=1")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 the overridden method's name
            pass

    server = ThreadingHTTPServer((ORIGIN_ADDRESS, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="api")
    thread.start()
    origin.url = f"http://{ORIGIN_ADDRESS}:{server.server_port}"
    yield origin
    server.shutdown()
    server.server_close()
    thread.join()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def deployed(shared_cluster: Cluster, origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    copy = tmp_path_factory.mktemp("api") / "cached-api"
    shutil.copytree(HERE, copy, ignore=shutil.ignore_patterns("test_*", "__pycache__"))
    config = copy / "wrangler.toml"
    text = config.read_text().replace("https://api.example.org", origin.url).replace('FRESH_S = "60"', 'FRESH_S = "1"')
    config.write_text(text)
    await shared_cluster.deploy(copy)
    return shared_cluster


async def test_the_api_is_asked_once_until_its_answer_is_old(deployed: Cluster, origin: Origin) -> None:
    first = await deployed.get("tokyo-1", "cached-api", "/rates?a=1")
    assert (first.status_code, first.headers["x-cache"]) == (200, "miss")
    assert "set-cookie" not in first.headers
    calls = len(origin.calls)

    async def hit() -> bool:
        reply = await deployed.get("tokyo-1", "cached-api", "/rates?a=1")
        return reply.headers["x-cache"] == "hit" and reply.text == first.text

    await eventually(hit, within=5, reason="the answer is not kept")
    assert len(origin.calls) == calls

    async def asked_again() -> bool:
        reply = await deployed.get("tokyo-1", "cached-api", "/rates?a=1")
        return reply.headers["x-cache"] == "miss" and reply.text != first.text

    await eventually(asked_again, within=10, reason="an old answer is kept")


async def test_another_query_is_another_answer(deployed: Cluster) -> None:
    one = await deployed.get("tokyo-1", "cached-api", "/q?a=1")
    other = await deployed.get("tokyo-1", "cached-api", "/q?a=2")
    assert one.text != other.text


async def test_errors_are_not_kept(deployed: Cluster) -> None:
    replies = [await deployed.get("tokyo-1", "cached-api", "/broken") for _ in range(2)]
    assert [(reply.status_code, reply.headers["x-cache"]) for reply in replies] == [(500, "bypass")] * 2
    assert replies[0].text != replies[1].text


async def test_only_get(deployed: Cluster) -> None:
    assert (await deployed.get("tokyo-1", "cached-api", "/rates", method="POST")).status_code == 405
