"""nearhop deploy with a platform's project: warnings, packs, manifests, hostnames, --env and --dry-run."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nearhop import packs
from nearhop.v1 import common_pb2

if TYPE_CHECKING:
    from tests.controlplane.cli.conftest import Fleet, Terminal

WRANGLER = """
name = "shop"
main = "main.js"
routes = ["shop.example.org/*"]
vars = { CURRENCY = "EUR" }
observability = { enabled = true }
[assets]
directory = "public"
binding = "ASSETS"
[env.live]
vars = { CURRENCY = "JPY" }
[env.broken]
kv_namespaces = [{ binding = "KV" }]
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "project" / "public").mkdir(parents=True)
    (tmp_path / "project" / "wrangler.toml").write_text(WRANGLER)
    (tmp_path / "project" / "main.js").write_text("export default { fetch() { return new Response() } }\n")
    (tmp_path / "project" / "public" / "index.html").write_text("<p>shop</p>")
    return tmp_path / "project"


async def test_a_project_is_deployed_with_all_that_it_brings(terminal: "Terminal", fleet: "Fleet", shop: Path) -> None:
    ran = await terminal.run("deploy", shop, "--env", "live")
    assert ran.status == 0
    assert "warning: wrangler.toml: observability: is not honored here" in ran.err
    [version] = fleet.functions["shop-live"]
    assert dict(version.manifest.vars) == {"CURRENCY": "JPY"}
    assets = version.manifest.assets
    assert [file["path"] for file in packs.read(fleet.bundles[assets.digest]).index["files"]] == ["/index.html"]
    assert fleet.kinds == {version.digest: common_pb2.BUNDLE_KIND_MODULE, assets.digest: common_pb2.BUNDLE_KIND_ASSETS}
    [update] = fleet.updates
    assert list(update.hostnames.hostnames) == ["shop.example.org"]
    assert (await terminal.run("deploy", shop, "--env", "live")).status == 0
    assert fleet.uploads == 2  # neither the module nor the pack goes twice


async def test_a_folder_of_files_is_deployed_as_a_site(terminal: "Terminal", fleet: "Fleet", shop: Path) -> None:
    assert (await terminal.run("deploy", shop / "public", "--name", "site")).status == 0
    [version] = fleet.functions["site"]
    assert version.dialect == common_pb2.DIALECT_STATIC
    assert version.manifest.assets.binding == "ASSETS"
    assert b"env.ASSETS.fetch" in fleet.bundles[version.digest]
    assert fleet.updates == []


async def test_a_dry_run_needs_no_control_plane_and_sends_nothing(
    terminal: "Terminal", fleet: "Fleet", shop: Path
) -> None:
    ran = await terminal.run("deploy", shop, "--dry-run", NEARHOP_ENDPOINT="127.91.4.1:1")
    assert (ran.status, fleet.uploads) == (0, 0)
    assert ran.out.startswith("shop would be deployed as a workers program\n  module        main.js, ")
    assert "  hostnames     shop.example.org\n" in ran.out
    assert "no environment is chosen" in ran.err
    planned = (await terminal.run("deploy", shop, "--dry-run", "--json", "--env", "live")).json
    assert (planned["function"], planned["vars"], planned["assets"]["files"]) == ("shop-live", ["CURRENCY"], 1)


async def test_what_cannot_be_honored_ends_it_before_anything_is_sent(
    terminal: "Terminal", fleet: "Fleet", shop: Path
) -> None:
    ran = await terminal.run("deploy", shop, "--env", "broken")
    assert ran.status != 0
    assert "error: wrangler.toml: kv_namespaces: the platform has no such binding" in ran.err
    assert fleet.functions == {}
    ran = await terminal.run("deploy", shop, "--env", "nope")
    assert "there is broken, live" in ran.err
    ran = await terminal.run("deploy", shop / "main.js", "--dialect", "static")
    assert "is a program, and --dialect static is for a folder of files" in ran.err
