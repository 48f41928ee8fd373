"""Which path shows which file: the facts are those of Workers' static assets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearhop.packs import HTML_HANDLING
from node.assets.routing import Redirect, Show, resolve, spellings, table

BOTH = ("/both.html", "/both/index.html")
BIN = ("/file-bin", "/file-bin.html")
ENDINGS = ("", ".html", "/", "/index", "/index.html")


def asked(name: str, *finals: str | None) -> dict[str, str | None]:
    """Where each way to ask for *name* ends: at one path for all of them, or at one for each."""
    return dict(zip((name + ending for ending in ENDINGS), finals * len(ENDINGS) if len(finals) == 1 else finals, strict=True))  # fmt: skip


ROOT = dict.fromkeys(("/", "/index", "/index.html"), "/")
# html_handling, files, path -> the path at which a file is shown in the end.
CASES: list[tuple[str, tuple[str, ...], dict[str, str | None]]] = [
    ("auto-trailing-slash", ("/index.html",), {**ROOT}),
    ("auto-trailing-slash", BOTH, asked("/both", "/both", "/both", "/both/", "/both/", "/both/")),
    ("auto-trailing-slash", ("/file.html",), asked("/file", "/file")),
    ("auto-trailing-slash", ("/folder/index.html",), asked("/folder", "/folder/")),
    ("auto-trailing-slash", BIN, asked("/file-bin", "/file-bin", "/file-bin.html", None, None, None)),
    ("auto-trailing-slash", ("/x/index", "/x/index.html"), {"/x/index": "/x/index"}),
    ("drop-trailing-slash", ("/index.html",), {**ROOT}),
    ("drop-trailing-slash", BOTH, asked("/both", "/both", "/both", "/both", "/both", "/both/index.html")),
    ("drop-trailing-slash", ("/file.html",), asked("/file", "/file")),
    ("drop-trailing-slash", ("/folder/index.html",), asked("/folder", "/folder")),
    ("drop-trailing-slash", BIN, asked("/file-bin", "/file-bin", "/file-bin.html", None, None, None)),
    ("force-trailing-slash", ("/index.html",), {**ROOT}),
    ("force-trailing-slash", BOTH, asked("/both", "/both/", "/both.html", "/both/", "/both/", "/both/")),
    ("force-trailing-slash", ("/file.html",), asked("/file", "/file/")),
    ("force-trailing-slash", ("/folder/index.html",), asked("/folder", "/folder/")),
    ("force-trailing-slash", ("/a.png",), {"/a.png": "/a.png", "/a.png/": None}),
    ("none", ("/index.html", "/a.html"), {"/": None, "/index.html": "/index.html", "/a": None, "/a.html": "/a.html"}),
]
EXPECTED = [(html, files, path, final) for html, files, paths in CASES for path, final in paths.items()]


@pytest.mark.parametrize(("html", "files", "path", "final"), EXPECTED)
def test_a_path_ends_where_it_should(html: str, files: tuple[str, ...], path: str, final: str | None) -> None:
    answers = table(files, html)
    answer = answers.get(path)
    assert answer == resolve(path, files, html)
    if final is None:
        assert answer is None
    elif final == path:
        assert isinstance(answer, Show)
    else:
        assert answer == Redirect(final)
        assert isinstance(answers[final], Show)


SEGMENTS = st.sampled_from(["a", "b", "index", "index.html", "a.html", "b.html", ".html", "a.png"])
FILES = st.lists(SEGMENTS, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))


@given(st.sets(FILES, max_size=6), st.lists(SEGMENTS, max_size=4), st.booleans(), st.sampled_from(HTML_HANDLING))
def test_the_table_knows_every_path_that_is_answered(files: set[str], parts: list[str], slash: bool, html: str) -> None:
    path = "/" + "/".join(parts) + ("/" if slash and parts else "")
    assert table(files, html).get(path) == resolve(path, files, html)


@given(st.sets(FILES, max_size=6), st.sampled_from(HTML_HANDLING))
def test_redirects_lead_to_a_file_and_never_in_a_circle(files: set[str], html: str) -> None:
    answers = table(files, html)
    for path in answers:
        seen, at = set(), path
        while isinstance(answer := answers[at], Redirect):
            assert at not in seen
            seen.add(at)
            at = answer.to
        assert isinstance(answer, Show)


def test_paths_are_spelled_as_clients_spell_them() -> None:
    assert spellings(["/a b/x@y.html"]) == {"/a%20b/x%40y.html", "/a%20b/x@y.html"}
    assert spellings(["/100%", "/ü"]) == {"/100%25", "/%C3%BC"}
