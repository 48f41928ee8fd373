"""site on a real cluster: rendered pages and files beside them, under one name."""

from pathlib import Path

import pytest
import pytest_asyncio

from tests.harness.cluster import Cluster

pytestmark = [pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def deployed(shared_cluster: Cluster) -> Cluster:
    await shared_cluster.deploy(Path(__file__).parent)
    return shared_cluster


async def test_pages_are_rendered(deployed: Cluster) -> None:
    reply = await deployed.get("tokyo-1", "site", "/products/tent")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/html")
    assert "<title>Tent · Nine Lives Outdoor</title>" in reply.text
    assert "Two people &amp; one cat fit in." in reply.text
    home = await deployed.get("tokyo-1", "site", "/")
    assert '<a href="/products/stove">Stove</a>' in home.text
    assert "visitor from" in home.text


async def test_files_are_served_as_they_are(deployed: Cluster) -> None:
    for node in deployed.nodes:
        style = await deployed.get(node, "site", "/style.css")
        assert (style.status_code, style.headers["content-type"]) == (200, "text/css; charset=utf-8")
        assert style.text == (Path(__file__).parent / "public" / "style.css").read_text()
        assert style.headers["cache-control"] == "public, max-age=3600"
        assert style.headers["x-frame-options"] == "DENY"
    again = await deployed.get("tokyo-1", "site", "/style.css", headers={"if-none-match": style.headers["etag"]})
    assert again.status_code == 304
    about = await deployed.get("tokyo-1", "site", "/about")
    assert "This page is a file." in about.text


@pytest.mark.parametrize(
    ("path", "status", "location"), [("/about.html", 307, "/about"), ("/about/", 307, "/about"), ("/home", 301, "/")]
)
async def test_paths_lead_to_their_files(deployed: Cluster, path: str, status: int, location: str) -> None:
    reply = await deployed.get("tokyo-1", "site", path)
    assert (reply.status_code, reply.headers["location"]) == (status, location)


@pytest.mark.parametrize("path", ["/nope", "/products/boat"])
async def test_the_program_shows_a_file_for_what_it_does_not_know(deployed: Cluster, path: str) -> None:
    reply = await deployed.get("tokyo-1", "site", path)
    assert reply.status_code == 404
    assert "There is nothing here" in reply.text


async def test_a_folder_of_files_is_a_site(shared_cluster: Cluster) -> None:
    await shared_cluster.deploy(Path(__file__).parent / "public", "files")
    about = await shared_cluster.get("london-1", "files", "/about")
    assert (about.status_code, about.headers["x-frame-options"]) == (200, "DENY")
    assert (await shared_cluster.get("london-1", "files", "/nope")).status_code == 404
