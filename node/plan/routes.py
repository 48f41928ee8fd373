"""Names that the ingress routes by beside hostnames: those of previews, and of sets of files."""

import zlib
from collections.abc import Callable, Iterable

from nearhop.spec import Assets
from node.plan.records import Version


def preview(function: str, version: int, zone: str) -> str:
    """Return the hostname under which one version of a function is reached, and no other."""
    return f"v{version}--{function}.{zone}"


def asset_set(assets: Assets) -> str:
    """Name the files of a pack that answer before the program: all of them, or those that its patterns leave."""
    if not assets.program_first_paths:
        return assets.digest
    return f"{assets.digest}-{zlib.crc32(chr(0).join(assets.program_first_paths).encode()):08x}"


def files(versions: Iterable[Version], paths: Callable[[str], Iterable[str]]) -> dict[str, frozenset[str]]:
    """Return the request paths of each set of files that *versions* put before their programs; *paths* gives all those of a pack."""
    packs = [version.manifest.assets for version in versions]
    return {asset_set(pack): answered(pack, paths(pack.digest)) for pack in packs if pack and not pack.program_first}


def answered(assets: Assets, paths: Iterable[str]) -> frozenset[str]:
    """Return those of a pack's request paths that are answered before the program is asked."""
    patterns = assets.program_first_paths
    first = [pattern for pattern in patterns if not pattern.startswith("!")]
    excluded = [pattern[1:] for pattern in patterns if pattern.startswith("!")]

    def is_programs(path: str) -> bool:
        return any(fits(item, path) for item in first) and not any(fits(item, path) for item in excluded)

    return frozenset(path for path in paths if not is_programs(path))


def fits(pattern: str, path: str) -> bool:
    """Tell whether *path* is of the form *pattern*, in which * stands for any text.

    Each part is looked for once, from where the one before it ended: a function's owner chooses the pattern, and must not choose how long it takes.
    """
    first, *rest = pattern.split("*")
    if not rest:
        return path == pattern
    *middle, last = rest
    if len(path) < len(first) + len(last) or not (path.startswith(first) and path.endswith(last)):
        return False
    at, end = len(first), len(path) - len(last)
    for part in middle:
        found = path.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
