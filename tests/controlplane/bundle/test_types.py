"""Content types by name."""

import re

import pytest

from controlplane.bundle import types


@pytest.mark.parametrize(
    ("path", "kind", "shrinks"),
    [
        ("/index.html", "text/html; charset=utf-8", True),
        ("/A.JS", "text/javascript; charset=utf-8", True),
        ("/a.svg", "image/svg+xml; charset=utf-8", True),
        ("/a.png", "image/png", False),
        ("/a.woff2", "font/woff2", False),
        ("/a.wasm", "application/wasm", True),
        ("/file", "application/octet-stream", True),
        ("/.well-known/x", "application/octet-stream", True),
        ("/a.html/b", "application/octet-stream", True),
        ("/html", "application/octet-stream", True),
    ],
)
def test_types(path: str, kind: str, shrinks: bool) -> None:
    assert types.content_type(path) == kind
    assert types.compressible(kind) is shrinks


def test_every_type_can_be_sent() -> None:
    for suffix in [*types._TEXT, *types._BINARY]:
        assert re.fullmatch(r"[a-z0-9.+-]+/[a-z0-9.+-]+(; charset=utf-8)?", types.content_type(f"/x.{suffix}"))
