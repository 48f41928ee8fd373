"""redirects on a real cluster: each kind of rule, the query kept, and no way to name a host from outside."""

import shutil
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
import pytest_asyncio

from tests.harness.cluster import CLIENTS, Cluster
from tests.harness.eventually import eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="session")]

HERE = Path(__file__).parent
SITE = "http://redirects.nearhop.test"
SHARED = "public, max-age=3600"
PRIVATE = "private, no-store"
# A node without a cached country map derives it from the database when it starts, and serves meanwhile.
COUNTRIES_WITHIN_S = 90


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def deployed(shared_cluster: Cluster) -> Cluster:
    await shared_cluster.deploy(HERE)
    return shared_cluster


@pytest.mark.parametrize(
    ("path", "status", "location"),
    [
        ("/about-us", 301, "/about"),
        ("/about-us?from=mail&x=%20y", 301, "/about?from=mail&x=%20y"),
        ("/signup?plan=pro", 307, "/account?step=1&plan=pro"),
        ("/docs/v1/", 308, "/docs/v2/"),
        ("/docs/v1/guide/start?lang=en", 308, "/docs/v2/guide/start?lang=en"),
        ("/blog/2026/hello%20world?p=2", 301, "https://blog.example.org/2026/hello%20world?p=2"),
    ],
)
async def test_a_rule_gives_its_status_and_keeps_the_query(
    deployed: Cluster, path: str, status: int, location: str
) -> None:
    reply = await deployed.get("tokyo-1", "redirects", path)
    assert (reply.status_code, reply.headers["location"], reply.headers["cache-control"]) == (status, location, SHARED)


@pytest.mark.parametrize("path", ["/about-us/", "/About-us", "/docs/v1", "/docs/v10/", "/docs/v1/../../x", "/nothing"])
async def test_a_path_without_a_rule_is_not_found(deployed: Cluster, path: str) -> None:
    reply = await deployed.get("tokyo-1", "redirects", path)
    assert reply.status_code == 404
    assert "location" not in reply.headers


@pytest.mark.parametrize(("city", "location"), [("tokyo", "/ja/"), ("saopaulo", "/pt/"), ("london", "/en/")])
async def test_the_front_page_follows_the_clients_country(deployed: Cluster, city: str, location: str) -> None:
    async def redirected() -> bool:
        reply = await deployed.fetch("redirects", CLIENTS[city], "/?ref=1")
        assert (reply.status_code, reply.headers["location"]) == (302, f"{location}?ref=1")
        assert reply.headers["cache-control"] == PRIVATE
        return True

    await eventually(redirected, within=COUNTRIES_WITHIN_S)


@pytest.mark.parametrize("prefix", ["/legacy/", "/docs/v1/", "/blog/"])
@pytest.mark.parametrize(
    "rest",
    ["/evil.example/", "//evil.example/", "/%2fevil.example", "%2f%2fevil.example", "\\evil.example", "/\\evil.example",
     "@evil.example", ".evil.example", ":80@evil.example", "https://evil.example/", "javascript:alert(1)", ".//evil.example",
     "%2e/%2fevil.example", "?//evil.example"],
)  # fmt: skip
async def test_the_client_cannot_choose_the_host(deployed: Cluster, prefix: str, rest: str) -> None:
    reply = await deployed.get("london-1", "redirects", prefix + rest)
    location = reply.headers["location"]
    # Browsers take a backslash for a slash.
    target = urlsplit(urljoin(f"{SITE}/", location.replace("\\", "/")))
    assert target.netloc == ("blog.example.org" if prefix == "/blog/" else urlsplit(SITE).netloc), location
    assert target.scheme == ("https" if prefix == "/blog/" else "http")


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ('{ prefix: "/docs", to: "https://docs.example.org/", status: 301 }', "must end with a slash"),
        ('{ exact: "/a", to: "//evil.example/", status: 301 }', "neither a path nor an https: URL"),
        (
            '{ exact: "/a", to: "/b", status: 301 }, { exact: "/b", to: "/a", status: 301 }',
            "redirected by another rule",
        ),
    ],
)
async def test_faulty_rules_are_refused_and_the_old_version_serves_on(
    deployed: Cluster, tmp_path: Path, rule: str, fault: str
) -> None:
    project = tmp_path / "redirects"
    shutil.copytree(HERE, project, ignore=shutil.ignore_patterns("test_*", "__pycache__"))
    (project / "rules.ts").write_text(
        f'import type {{ Rule }} from "./redirect.ts";\nexport const rules: Rule[] = [{rule}];\n', encoding="utf-8"
    )
    ran = await deployed.run("deploy", project)
    assert ran.status != 0
    assert fault in " ".join((ran.stdout + ran.stderr).split())
    assert (await deployed.get("tokyo-1", "redirects", "/about-us")).headers["location"] == "/about"
