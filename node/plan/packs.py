"""What a version needs on the node before it can run, and what its static files mean for its requests. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from node.plan.records import Dialect, Observed, Route, Version


def bundles(version: Version) -> Iterator[tuple[str, int]]:
    """Yield digest and size of everything that *version* is made of: its module and, if it has one, its pack of static files."""
    yield version.digest, version.size_bytes
    if version.manifest.assets is not None and version.manifest.assets.digest != version.digest:
        yield version.manifest.assets.digest, version.manifest.assets.size_bytes


def is_here(version: Version, observed: Observed) -> bool:
    """Tell whether everything that *version* is made of is on the node."""
    return all(digest in observed.bundles for digest, _ in bundles(version))


def has_module(version: Version) -> bool:
    """Tell whether *version* has a program of its own, be it of one line."""
    return version.manifest.assets is None or version.manifest.assets.digest != version.digest


def with_files(route: Route, version: Version) -> Route:
    """Return *route* with what the ingress needs of *version*'s static files: whose paths it looks up before it asks the program."""
    assets = version.manifest.assets
    if assets is None:
        return route
    if version.dialect is Dialect.STATIC:
        return replace(route, assets=assets.digest, static=True)
    return route if assets.program_first else replace(route, assets=assets.digest)


def program_first(versions: Iterable[Version]) -> frozenset[tuple[str, ...]]:
    """Return the lists of patterns of paths for which *versions* want their programs to be asked first."""
    assets = (version.manifest.assets for version in versions)
    return frozenset(item.program_first_paths for item in assets if item is not None and item.program_first_paths)


def shown(paths: Iterable[str], first: Collection[tuple[str, ...]]) -> frozenset[str]:
    """Return those of a pack's *paths* that no list of patterns in *first* fits."""
    return frozenset(path for path in paths if not any(_is_first(path, patterns) for patterns in first))


def _is_first(path: str, patterns: Collection[str]) -> bool:
    included = any(fits(pattern, path) for pattern in patterns if not pattern.startswith("!"))
    return included and not any(fits(pattern[1:], path) for pattern in patterns if pattern.startswith("!"))


def fits(pattern: str, path: str) -> bool:
    """Tell whether *path* is of the form *pattern*, in which * stands for any text. Takes time in proportion to both."""
    first, *rest = pattern.split("*")
    if not rest:
        return path == pattern
    *middle, last = rest
    if not (path.startswith(first) and path.endswith(last) and len(path) >= len(first) + len(last)):
        return False
    at, end = len(first), len(path) - len(last)
    for part in middle:
        at = path.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def packs(versions: Iterable[Version]) -> Mapping[str, list[Version]]:
    """Return the versions that have static files, by their pack's digest."""
    found: dict[str, list[Version]] = {}
    for version in versions:
        if version.manifest.assets is not None:
            found.setdefault(version.manifest.assets.digest, []).append(version)
    return found
