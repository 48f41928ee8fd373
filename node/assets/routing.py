"""Which request path shows which file of a pack, and which one is redirected to where. Pure.

The rules are those of Workers' static assets, html_handling: an attempt is a file that would answer, with the path that it is to be asked for, or
with None where it is shown at once. The first attempt that holds wins; a redirect holds only if its target then shows that very file.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

_Attempts = list[tuple[str, str | None]]
# What encodeURIComponent() leaves as it is, and what browsers do in a path (URL Standard, path percent-encode set).
_ALWAYS = "/ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_CANONICAL = frozenset(f"{_ALWAYS}!'()*".encode())
_BROWSERS = frozenset(f"{_ALWAYS}!$&'()*+,:;=@[]^|".encode())


@dataclass(frozen=True, slots=True)
class Show:
    """The request is answered with the file of this path."""

    file: str


@dataclass(frozen=True, slots=True)
class Redirect:
    """The request is sent to this path."""

    to: str


Answer = Show | Redirect


def table(files: Collection[str], html_handling: str) -> dict[str, Answer]:
    """Return every decoded request path that one of *files* answers, with its answer."""
    found = {}
    for path in {path for file in files for path in _asked_as(file)}:
        answer = resolve(path, files, html_handling)
        if answer is not None:
            found[path] = answer
    return found


def resolve(path: str, files: Collection[str], html_handling: str, *, follow: bool = True) -> Answer | None:
    """Return how the decoded *path* is answered, None when no file answers it; without *follow* no redirect counts."""
    for file, to in _ATTEMPTS[html_handling](path):
        if file not in files:
            continue
        if to is None:
            return Show(file)
        if follow and to not in files and resolve(to, files, html_handling, follow=False) == Show(file):
            return Redirect(to)
    return None


def spellings(paths: Iterable[str]) -> frozenset[str]:
    """Return the percent-encoded forms in which the decoded *paths* stand in requests."""
    return frozenset(_encoded(path, plain) for path in paths for plain in (_CANONICAL, _BROWSERS))


def _encoded(path: str, plain: frozenset[int]) -> str:
    return "".join(chr(byte) if byte in plain else f"%{byte:02X}" for byte in path.encode())


def _asked_as(file: str) -> Iterable[str]:
    yield file
    if not file.endswith(".html"):
        return
    names = [file.removesuffix(".html")]
    if file.endswith("/index.html"):
        names.append(file.removesuffix("/index.html"))
    for name in names:
        for ending in ("", "/", ".html", "/index", "/index.html"):
            if (path := name + ending).startswith("/"):
                yield path


def _auto(path: str) -> _Attempts:
    if path.endswith("/index"):
        up = path.removesuffix("/index")
        return [(path, None), (f"{path}.html", f"{up}/"), (f"{up}.html", up), *_auto_rest(path)]
    if path.endswith("/index.html"):
        up = path.removesuffix("/index.html")
        return [(path, f"{up}/"), (f"{up}.html", up), *_auto_rest(path)]
    if path.endswith("/"):
        return [(f"{path}index.html", None), (f"{path[:-1]}.html", path[:-1]), *_auto_rest(path)]
    if path.endswith(".html"):
        name = path.removesuffix(".html")
        return [(path, name), (f"{name}/index.html", f"{name}/"), *_auto_rest(path)]
    return _auto_rest(path)


def _auto_rest(path: str) -> _Attempts:
    return [(path, None), (f"{path}.html", None), (f"{path}/index.html", f"{path}/")]


def _force(path: str) -> _Attempts:
    rest: _Attempts = [(path, None), (f"{path}.html", f"{path}/"), (f"{path}/index.html", f"{path}/")]
    if path.endswith("/index"):
        up = path.removesuffix("/index")
        return [(path, None), (f"{path}.html", f"{up}/"), (f"{up}.html", f"{up}/"), *rest]
    if path.endswith("/index.html"):
        up = path.removesuffix("/index.html")
        return [(path, f"{up}/"), (f"{up}.html", f"{up}/"), *rest]
    if path.endswith("/"):
        return [(f"{path}index.html", None), (f"{path[:-1]}.html", None), *rest]
    if path.endswith(".html"):
        name = path.removesuffix(".html")
        return [(path, f"{name}/"), (path, None), (f"{name}/index.html", f"{name}/"), *rest]
    return rest


def _drop(path: str) -> _Attempts:
    rest: _Attempts = [(path, None), (f"{path}.html", None), (f"{path}/index.html", None)]
    if path in ("/", "/index", "/index.html"):
        return [("/index.html", None if path == "/" else "/"), *rest]
    if path.endswith("/index"):
        up = path.removesuffix("/index")
        return [(path, None), (f"{up}.html", up), (f"{path}.html", up), *rest]
    if path.endswith("/index.html"):
        up = path.removesuffix("/index.html")
        return [(path, up), (path, None), (f"{up}.html", up), *rest]
    if path.endswith("/"):
        return [(f"{path[:-1]}.html", path[:-1]), (f"{path}index.html", path[:-1]), *rest]
    if path.endswith(".html"):
        name = path.removesuffix(".html")
        return [(path, name), (f"{name}/index.html", name), *rest]
    return rest


def _none(path: str) -> _Attempts:
    return [(path, None)]


_ATTEMPTS: dict[str, Callable[[str], _Attempts]] = {
    "auto-trailing-slash": _auto,
    "force-trailing-slash": _force,
    "drop-trailing-slash": _drop,
    "none": _none,
}
