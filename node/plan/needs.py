"""What a version needs on disk before it can serve: its module, its pack of static files, or both. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from nearhop.spec import Assets, Dialect
from node.plan.records import Observed, Placement, Version


@dataclass(frozen=True, slots=True)
class Need:
    digest: str
    size_bytes: int
    pack: bool = False  # of static files


def needs(version: Version) -> Iterator[Need]:
    """Name what *version* is made of."""
    if not is_static(version):
        yield Need(version.digest, version.size_bytes)
    if (pack := pack_of(version)) is not None:
        yield Need(pack.digest, pack.size_bytes, pack=True)


def is_static(version: Version) -> bool:
    """Say whether the version has no program, and so never a sandbox."""
    return version.dialect is Dialect.STATIC


def pack_of(version: Version) -> Assets | None:
    """Return the version's static files; those of a version without a program are the version itself."""
    if version.manifest.assets is None and is_static(version):
        return Assets(version.digest, version.size_bytes)
    return version.manifest.assets


def is_here(need: Need, observed: Observed) -> bool:
    return need.digest in (observed.packs if need.pack else observed.bundles)


def is_whole(version: Version, observed: Observed) -> bool:
    """Say whether all that *version* needs is on disk."""
    return all(is_here(need, observed) for need in needs(version))


def claims(placement: Placement) -> tuple[str, ...]:
    """Return the keys under which the ingress knows the function: hostnames, and hostnames with the path below which it answers."""
    return (*placement.hostnames, *(f"{route.hostname}{route.path}" for route in placement.routes))
