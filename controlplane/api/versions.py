"""The Versions service: bundles come in here, and get their numbers."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from controlplane.api import codec, validate, validate_manifest
from controlplane.api.errors import NotFound, Precondition, no_function
from controlplane.api.mutations import Mutations, Proposal
from controlplane.model import Bundle, BundleKind, Version
from controlplane.store import codec as records
from controlplane.store import keys
from controlplane.store.bundles import BUNDLE_BYTES, CHUNK_BYTES, BundleStore
from controlplane.store.cache import Cache
from controlplane.store.client import Item, Put, Unchanged
from controlplane.store.keys import Key, Kind
from nearhop import names, spec_codec
from nearhop.errors import InvalidInput, Violation
from nearhop.spec import Dialect, Manifest
from nearhop.v1 import common_pb2, versions_pb2, versions_pb2_grpc

Inspect = Callable[[bytes], Awaitable[list[str]]]

_UPLOADS = 4  # at once: each may hold a whole bundle in memory
_MESSAGE_CHARACTERS = 1000
_LABEL_CHARACTERS = 256


class Versions(versions_pb2_grpc.VersionsServicer):
    """*inspect* says why a module is not self-contained, *inspect_assets* why the bytes are no pack of static files."""

    def __init__(
        self,
        mutations: Mutations,
        cache: Cache,
        bundles: BundleStore,
        inspect: Inspect,
        inspect_assets: Inspect,
    ) -> None:
        self._mutations = mutations
        self._cache = cache
        self._bundles = bundles
        self._inspect = inspect
        self._inspect_assets = inspect_assets
        self._uploads = asyncio.Semaphore(_UPLOADS)

    async def StatBundle(
        self, request: versions_pb2.StatBundleRequest, _context: Any
    ) -> versions_pb2.StatBundleResponse:
        check = validate.Check()
        check.add("digest", names.digest_reasons(request.digest))
        check.raise_if_any()
        bundle = await self._bundles.touch(request.digest)
        return versions_pb2.StatBundleResponse(stored=bundle is not None, size_bytes=bundle.size_bytes if bundle else 0)

    async def UploadBundle(
        self, request_iterator: AsyncIterator[versions_pb2.UploadBundleRequest], _context: Any
    ) -> versions_pb2.UploadBundleResponse:
        async with self._uploads:
            header = await _header(request_iterator)
            data = await _body(request_iterator, header)
            kind = codec.bundle_kind(header.kind) or BundleKind.MODULE
            inspect = self._inspect_assets if kind is BundleKind.ASSETS else self._inspect
            if reasons := await inspect(data):
                raise InvalidInput([Violation("bundle", reason) for reason in reasons])
            await self._bundles.put(header.digest, data, kind)
        return versions_pb2.UploadBundleResponse(digest=header.digest, size_bytes=len(data))

    async def CreateVersion(self, request: versions_pb2.CreateVersionRequest, _context: Any) -> versions_pb2.Version:
        check = validate.Check()
        check.request_id(request.request_id)
        check.add("function", names.function_name_reasons(request.function))
        dialect = spec_codec.DIALECT_OF.get(request.dialect)
        manifest = validate_manifest.manifest(check, request.manifest, dialect)
        digest = _digest(check, request, dialect, manifest)
        check.length("entrypoint", request.entrypoint, _LABEL_CHARACTERS)
        check.length("author", request.author, _LABEL_CHARACTERS)
        check.length("message", request.message, _MESSAGE_CHARACTERS)
        if dialect is None:
            known = ", ".join(common_pb2.Dialect.Name(number) for number in spec_codec.DIALECTS.values())
            check.add("dialect", [f"must be one of {known}"])
        check.raise_if_any()
        assert dialect is not None  # noqa: S101  # just checked
        wanted = _Wanted(request, dialect, digest, manifest)
        return await self._mutations.run(request, lambda: self._propose(wanted), versions_pb2.Version)

    async def GetVersion(self, request: versions_pb2.GetVersionRequest, _context: Any) -> versions_pb2.Version:
        view = self._cache.current()
        if request.function not in view.functions:
            raise no_function(request.function)
        stored = view.versions.get((request.function, request.number))
        if stored is None:
            raise no_version(request.function, request.number)
        return codec.version(stored.record)

    async def ListVersions(
        self, request: versions_pb2.ListVersionsRequest, _context: Any
    ) -> versions_pb2.ListVersionsResponse:
        view = self._cache.current()
        if request.function not in view.functions:
            raise no_function(request.function)
        found = [stored.record for (name, _), stored in view.versions.items() if name == request.function]
        found.sort(key=lambda version: version.number, reverse=True)
        return versions_pb2.ListVersionsResponse(versions=map(codec.version, found))

    async def _propose(self, wanted: "_Wanted") -> Proposal[versions_pb2.Version]:
        request, store, now = wanted.request, self._mutations.store, time.time()
        function = await store.get(str(Key(Kind.FUNCTIONS, request.function)))
        if function is None:
            raise no_function(request.function)
        assets = wanted.manifest.assets
        kinds = {wanted.digest: BundleKind.MODULE}
        if assets is not None:
            kinds[assets.digest] = BundleKind.ASSETS  # also the version's own, if it has no module
        stored = {digest: await self._stored(digest, kind) for digest, kind in kinds.items()}
        if assets is not None:
            assets = replace(assets, size_bytes=stored[assets.digest][1].size_bytes)
        number = await self._next_number(request.function)
        version = Version(
            function=request.function,
            number=number,
            digest=wanted.digest,
            size_bytes=stored[wanted.digest][1].size_bytes,
            dialect=wanted.dialect,
            entrypoint=request.entrypoint,
            author=request.author,
            message=request.message,
            created_at=now,
            request_id=request.request_id,
            manifest=replace(wanted.manifest, assets=assets),
        )
        path = str(Key(Kind.VERSIONS, request.function, number))
        # The bundles' records are written again: a collection that was decided before now fails.
        touched = [Put(item.key, records.encode(replace(bundle, touched_at=now))) for item, bundle in stored.values()]
        return Proposal(
            [
                Unchanged(function.key, function.revision),
                *(Unchanged(item.key, item.revision) for item, _ in stored.values()),
                Unchanged(path, 0),
            ],
            [Put(path, records.encode(version)), *touched],
            codec.version(version),
        )

    async def _stored(self, digest: str, kind: BundleKind) -> tuple[Item, Bundle]:
        item = await self._mutations.store.get(str(Key(Kind.MANIFESTS, digest)))
        if item is None:
            what = "the bundle is" if kind is BundleKind.MODULE else "the pack of assets is"
            raise Precondition(
                "BUNDLE_NOT_STORED", f"{what} not stored; upload it with UploadBundle first", digest=digest
            )
        bundle = records.decode(Bundle, item.value)
        if bundle.kind is not kind:
            raise Precondition(
                "BUNDLE_OF_ANOTHER_KIND",
                f"the bundle {digest[:12]} was uploaded as {bundle.kind.value}, and is wanted as {kind.value}",
                digest=digest,
            )
        return item, bundle

    async def _next_number(self, function: str) -> int:
        listing = await self._mutations.store.list(keys.versions_of(function), keys_only=True)
        taken = (key.number for item in listing.items if (key := keys.parse(item.key)) is not None)
        return max(taken, default=0) + 1


def no_version(function: str, number: int) -> NotFound:
    return NotFound(
        "VERSION_NOT_FOUND", f"function {function!r} has no version {number}", function=function, version=str(number)
    )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A CreateVersionRequest that was judged; *digest* is that of the module, or of the assets of a version without one."""

    request: versions_pb2.CreateVersionRequest
    dialect: Dialect
    digest: str
    manifest: Manifest


def _digest(
    check: validate.Check, request: versions_pb2.CreateVersionRequest, dialect: Dialect | None, manifest: Manifest
) -> str:
    if dialect is not Dialect.STATIC or manifest.assets is None:
        check.add("digest", names.digest_reasons(request.digest))
        return request.digest
    if request.digest in {"", manifest.assets.digest}:
        return manifest.assets.digest
    check.add("digest", names.digest_reasons(request.digest))
    return request.digest


async def _header(messages: AsyncIterator[versions_pb2.UploadBundleRequest]) -> versions_pb2.UploadBundleRequest.Header:
    check = validate.Check()
    first = await anext(messages, None)
    if first is None or not first.HasField("header"):
        raise InvalidInput([Violation("header", "must be the first message")])
    check.add("header.digest", names.digest_reasons(first.header.digest))
    if codec.bundle_kind(first.header.kind) is None:
        check.add("header.kind", [f"{first.header.kind} is not known"])
    if not 0 < first.header.size_bytes <= BUNDLE_BYTES:
        check.add("header.size_bytes", [f"is {first.header.size_bytes}; 1 to {BUNDLE_BYTES} is allowed"])
    check.raise_if_any()
    return first.header


async def _body(
    messages: AsyncIterator[versions_pb2.UploadBundleRequest], header: versions_pb2.UploadBundleRequest.Header
) -> bytes:
    data = bytearray()
    async for message in messages:
        if not message.HasField("chunk"):
            raise InvalidInput([Violation("chunk", "must follow the header; a second header came")])
        if len(message.chunk) > CHUNK_BYTES:
            raise InvalidInput(
                [Violation("chunk", f"has {len(message.chunk)} bytes; at most {CHUNK_BYTES} are allowed")]
            )
        data += message.chunk
        if len(data) > header.size_bytes:
            break
    if len(data) != header.size_bytes:
        more = "more" if len(data) > header.size_bytes else f"{len(data)}"
        raise InvalidInput([Violation("header.size_bytes", f"says {header.size_bytes} bytes, but {more} came")])
    body = bytes(data)
    if hashlib.sha256(body).hexdigest() != header.digest:
        raise InvalidInput([Violation("header.digest", "is not the SHA-256 of the bytes that came")])
    return body
