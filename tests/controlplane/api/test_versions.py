import asyncio

import grpc
import pytest

from controlplane.store import keys
from controlplane.store.client import Store
from controlplane.store.keys import Key, Kind
from nearhop.v1 import common_pb2, versions_pb2
from tests.controlplane.api.clients import SOURCE, Client, digest_of, failure, fresh


async def test_versions_are_numbered_from_one_and_listed_newest_first(client: Client) -> None:
    await client.create()
    first = await client.version(entrypoint="worker.ts", author="ada", message="first")
    second = await client.version(SOURCE + b"//")
    assert (first.number, second.number) == (1, 2)
    assert (first.digest, first.size_bytes, first.entrypoint) == (digest_of(SOURCE), len(SOURCE), "worker.ts")
    listed = await client.versions.ListVersions(versions_pb2.ListVersionsRequest(function="hello"))
    assert list(listed.versions) == [second, first]
    assert await client.versions.GetVersion(versions_pb2.GetVersionRequest(function="hello", number=1)) == first


async def test_versions_made_at_once_get_different_numbers(client: Client) -> None:
    await client.create()
    await client.upload()
    made = await asyncio.gather(*(client.version() for _ in range(4)))
    assert sorted(version.number for version in made) == [1, 2, 3, 4]


async def test_repeating_a_call_makes_no_second_version(client: Client) -> None:
    await client.create()
    request_id = fresh()
    assert await client.version(request_id=request_id) == await client.version(request_id=request_id)
    listed = await client.versions.ListVersions(versions_pb2.ListVersionsRequest(function="hello"))
    assert len(listed.versions) == 1


async def test_an_upload_can_be_skipped_when_the_digest_is_known(client: Client) -> None:
    request = versions_pb2.StatBundleRequest(digest=digest_of(SOURCE))
    assert not (await client.versions.StatBundle(request)).stored
    await client.upload()
    assert await client.versions.StatBundle(request) == versions_pb2.StatBundleResponse(
        stored=True, size_bytes=len(SOURCE)
    )


async def test_a_version_of_a_bundle_that_is_not_stored_is_refused(client: Client) -> None:
    await client.create()
    request = versions_pb2.CreateVersionRequest(
        request_id=fresh(), function="hello", digest="0" * 64, dialect=common_pb2.DIALECT_DENO
    )
    failed = await failure(client.versions.CreateVersion(request))
    assert (failed.code, failed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "BUNDLE_NOT_STORED")


async def test_a_large_bundle_arrives_whole(client: Client, store: Store) -> None:
    source = SOURCE + b"// " + b"x" * (3 << 20)
    assert await client.upload(source) == digest_of(source)
    chunks = await store.list(keys.chunks_of(digest_of(source)))
    assert b"".join(item.value for item in chunks.items) == source


@pytest.mark.parametrize(
    ("source", "digest", "size", "field"),
    [
        (SOURCE, "0" * 64, None, "header.digest"),
        (SOURCE, "xyz", None, "header.digest"),
        (SOURCE, None, 5, "header.size_bytes"),
        (SOURCE, None, len(SOURCE) + 1, "header.size_bytes"),
        (SOURCE, None, (10 << 20) + 1, "header.size_bytes"),
        (b"", None, 0, "header.size_bytes"),
        (b"import 'https://example.org/x.js'; export default {}", None, None, "bundle"),
        (b"import fs from 'node:fs'; export default {}", None, None, "bundle"),
        (b"this is not a module {", None, None, "bundle"),
    ],
)
async def test_nothing_is_kept_of_a_refused_upload(
    client: Client, store: Store, source: bytes, digest: str | None, size: int | None, field: str
) -> None:
    failed = await failure(client.upload(source, digest=digest, size=size))
    assert (failed.code, list(failed.violations)) == (grpc.StatusCode.INVALID_ARGUMENT, [field])
    assert (await store.list(keys.chunks(), keys_only=True)).items == ()
    assert (await store.list(keys.prefix(Kind.MANIFESTS))).items == ()


async def test_an_upload_begins_with_its_header_and_has_one(client: Client) -> None:
    chunk = versions_pb2.UploadBundleRequest(chunk=SOURCE)
    header = versions_pb2.UploadBundleRequest(
        header=versions_pb2.UploadBundleRequest.Header(digest=digest_of(SOURCE), size_bytes=len(SOURCE))
    )
    for parts, field in (([], "header"), ([chunk], "header"), ([header, header], "chunk")):
        failed = await failure(client.versions.UploadBundle(iter(parts), timeout=5))
        assert list(failed.violations) == [field]


async def test_every_wrong_field_of_a_version_is_named_at_once(client: Client) -> None:
    request = versions_pb2.CreateVersionRequest(
        request_id="no spaces",
        function="..",
        digest="A" * 64,
        message="m" * 1001,
        author="a" * 300,
        entrypoint="e" * 300,
    )
    failed = await failure(client.versions.CreateVersion(request))
    assert set(failed.violations) == {
        "request_id", "function", "digest", "dialect", "message", "author", "entrypoint",
    }  # fmt: skip


async def test_what_is_not_there_is_not_found(client: Client) -> None:
    await client.create()
    for call, reason in (
        (client.version(function="nobody"), "FUNCTION_NOT_FOUND"),
        (client.versions.ListVersions(versions_pb2.ListVersionsRequest(function="x")), "FUNCTION_NOT_FOUND"),
        (client.versions.GetVersion(versions_pb2.GetVersionRequest(function="x", number=1)), "FUNCTION_NOT_FOUND"),
        (client.versions.GetVersion(versions_pb2.GetVersionRequest(function="hello", number=1)), "VERSION_NOT_FOUND"),
    ):
        failed = await failure(call)
        assert (failed.code, failed.reason) == (grpc.StatusCode.NOT_FOUND, reason)


async def test_a_new_version_renews_the_interest_in_its_bundle(client: Client, store: Store) -> None:
    await client.create()
    digest = await client.upload()
    before = await store.get(str(Key(Kind.MANIFESTS, digest)))
    await client.version()
    after = await store.get(str(Key(Kind.MANIFESTS, digest)))
    assert before is not None
    assert after is not None
    assert after.revision > before.revision
