import hashlib
import io
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from nearhop.v1 import common_pb2, versions_pb2
from tests.controlplane.api.clients import SOURCE, Agent, Client, failure, fresh

INDEX = b'{"format":1,"html_handling":"none","not_found_handling":"none","files":[],"headers":[],"redirects":[]}'


def pack(index: bytes = INDEX, name: str = "index.json") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, index)
    return buffer.getvalue()


async def upload(client: Client, data: bytes, kind: int = common_pb2.BUNDLE_KIND_ASSETS) -> str:
    digest = hashlib.sha256(data).hexdigest()

    async def parts() -> AsyncIterator[versions_pb2.UploadBundleRequest]:
        header = versions_pb2.UploadBundleRequest.Header(digest=digest, size_bytes=len(data), kind=kind)  # type: ignore[arg-type]
        yield versions_pb2.UploadBundleRequest(header=header)
        yield versions_pb2.UploadBundleRequest(chunk=data)

    return (await client.versions.UploadBundle(parts(), timeout=30)).digest  # type: ignore[no-any-return]


def create(client: Client, **more: Any) -> Any:
    request = versions_pb2.CreateVersionRequest(**{"request_id": fresh(), "function": "hello", **more})
    return client.versions.CreateVersion(request, timeout=10)


async def test_a_manifest_is_kept_and_reaches_nodes(client: Client) -> None:
    data = pack()
    digest = await upload(client, data)
    manifest = common_pb2.Manifest(
        vars={"GREETING": "hello"},
        secrets=["TOKEN"],
        crons=["*/5 * * * *"],
        rate_limiters=[common_pb2.RateLimiter(name="LIMITER", limit=10, period_s=60)],
        assets=common_pb2.Assets(digest=digest, binding="ASSETS", program_first_paths=["/api/*", "!/api/docs/*"]),
        handlers=["fetch", "scheduled"],
        compatibility_date="2026-01-31",
        compatibility_flags=["nodejs_compat"],
        version_binding="VERSION",
    )
    async with Agent(client.address, "tokyo-1") as agent:
        await client.create()
        version = await client.version(manifest=manifest)
        assert version.manifest.assets.size_bytes == len(data)
        assert version.manifest.crons == ["*/5 * * * *"]
        assert await client.versions.GetVersion(versions_pb2.GetVersionRequest(function="hello", number=1)) == version
        await client.deployed(1)
        await agent.until(lambda agent: agent.versions() == {"hello": [1]})
        [placed] = agent.snapshot.placements[0].versions
        assert placed.manifest == version.manifest
        assert placed.created_at == pytest.approx(version.created_at.ToNanoseconds() / 1e9, abs=1e-3)
        await agent.ask(digest)
        await agent.until(lambda agent: agent.bundles.get(digest) == data)


async def test_a_static_version_is_its_assets(client: Client) -> None:
    await client.create()
    digest = await upload(client, pack())
    manifest = common_pb2.Manifest(assets=common_pb2.Assets(digest=digest))
    version = await create(client, dialect=common_pb2.DIALECT_STATIC, manifest=manifest)
    assert (version.digest, version.size_bytes) == (digest, len(pack()))
    failed = await failure(create(client, dialect=common_pb2.DIALECT_STATIC, digest="0" * 63, manifest=manifest))
    assert list(failed.violations) == ["digest"]
    failed = await failure(create(client, dialect=common_pb2.DIALECT_STATIC, digest="0" * 64, manifest=manifest))
    assert failed.reason == "BUNDLE_NOT_STORED"
    failed = await failure(create(client, dialect=common_pb2.DIALECT_STATIC, digest=digest))
    assert list(failed.violations) == ["manifest.assets"]


async def test_a_bundle_is_what_it_was_uploaded_as(client: Client) -> None:
    await client.create()
    assets, module = await upload(client, pack()), await client.upload()
    for more in (
        {"digest": assets, "dialect": common_pb2.DIALECT_WORKERS},
        {
            "digest": module,
            "dialect": common_pb2.DIALECT_WORKERS,
            "manifest": common_pb2.Manifest(assets=common_pb2.Assets(digest=module)),
        },
    ):
        failed = await failure(create(client, **more))
        assert (failed.code, failed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "BUNDLE_OF_ANOTHER_KIND")
    missing = common_pb2.Manifest(assets=common_pb2.Assets(digest="0" * 64))
    failed = await failure(create(client, digest=module, dialect=common_pb2.DIALECT_WORKERS, manifest=missing))
    assert failed.reason == "BUNDLE_NOT_STORED"


async def test_every_wrong_field_of_a_manifest_is_named_at_once(client: Client) -> None:
    manifest = common_pb2.Manifest(
        vars={"A-B": "x", "BIG": "v" * 5121, "TWICE": ""},
        secrets=["9"],
        crons=["* * * * *", "@hourly", "0 0 30 2 *"],
        rate_limiters=[common_pb2.RateLimiter(name="", limit=0, period_s=11)],
        assets=common_pb2.Assets(digest="x", binding="TWICE", html_handling=9, not_found_handling=9, program_first_paths=["api"]),  # type: ignore[arg-type]
        handlers=["a b"],
        compatibility_date="2026-02-30",
        compatibility_flags=[""],
        matchers=["about"],
        edge_routes=[common_pb2.EdgeRoute(path="/a", export="a b")],
        version_binding="-",
    )  # fmt: skip
    failed = await failure(create(client, digest="0" * 64, dialect=common_pb2.DIALECT_WORKERS, manifest=manifest))
    assert set(failed.violations) == {
        "manifest.vars[A-B]", "manifest.vars[BIG]", "manifest.secrets[0]", "manifest.crons[1]", "manifest.crons[2]",
        "manifest.rate_limiters[0].name", "manifest.rate_limiters[0].limit", "manifest.rate_limiters[0].period_s",
        "manifest.assets.digest", "manifest.assets.html_handling", "manifest.assets.not_found_handling",
        "manifest.assets.program_first_paths[0]", "manifest.handlers[0]", "manifest.compatibility_date",
        "manifest.compatibility_flags[0]", "manifest.matchers[0]", "manifest.edge_routes[0].export",
        "manifest.version_binding", "manifest",
    }  # fmt: skip


async def test_a_manifest_has_bounds(client: Client) -> None:
    many = common_pb2.Manifest(crons=["* * * * *"] * 51, vars={f"V{n}": "" for n in range(129)})
    failed = await failure(create(client, digest="0" * 64, dialect=common_pb2.DIALECT_WORKERS, manifest=many))
    assert set(failed.violations) == {"manifest.crons", "manifest.vars"}
    huge = common_pb2.Manifest(vars={f"V{n}": "v" * 5000 for n in range(14)})
    failed = await failure(create(client, digest="0" * 64, dialect=common_pb2.DIALECT_WORKERS, manifest=huge))
    assert set(failed.violations) == {"manifest"}


@pytest.mark.parametrize("data", [b"PK no", SOURCE, pack(name="other"), pack()[:-10]])
async def test_what_is_no_pack_is_not_kept(client: Client, data: bytes) -> None:
    failed = await failure(upload(client, data))
    assert list(failed.violations) == ["bundle"]
    failed = await failure(upload(client, data, kind=77))
    assert list(failed.violations) == ["header.kind"]
