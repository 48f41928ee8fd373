"""Changes of the maps: found between two sets of routes, and made in a running HAProxy one entry after another."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.haproxy import maps, settings
from node.haproxy.process import Ingress
from node.haproxy.runtime import IngressError, Runtime
from node.plan.records import Route

ADDRESS = f"127.31.{os.getpid() % 200 + 20}.3:7481"


def text(entries: dict[str, str]) -> str:
    return "".join(f"{key} {value}\n" for key, value in sorted(entries.items()))


_entries = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["1", "2", "3|x y"]))


@given(_entries, _entries)
def test_a_change_leads_from_one_text_to_the_other(before: dict[str, str], after: dict[str, str]) -> None:
    change = maps.change(text(before), text(after), most=20)
    assert change is not None
    fresh, removed = change
    assert {key: value for key, value in before.items() if key not in removed} | fresh == after
    assert all(before.get(key) != value for key, value in fresh.items())


def test_too_much_of_a_change_is_none() -> None:
    many = {str(number): "1" for number in range(5)}
    assert maps.change("", text(many), most=4) is None
    assert maps.change(text(many), "", most=4) is None
    assert maps.change("", text(many), most=5) == (many, [])
    assert maps.change(text(many), text(dict.fromkeys(many, "2")), most=4) is None


_versions = st.builds(
    lambda version, slots: (version, slots), st.integers(0, 3), st.lists(st.integers(0, 3), max_size=3).map(tuple)
)


@st.composite
def _route_sets(draw: st.DrawFn) -> dict[str, Route]:
    """Routes as a plan makes them: all keys of a function have one route, and a key has one function."""
    routes: dict[str, Route] = {}
    for name in draw(st.sets(st.sampled_from("abc"))):
        shares = [_version(name, *draw(_versions)) for _ in range(draw(st.integers(0, 2)))]
        route = _version(name, *draw(_versions))
        if shares:
            route = replace(route, shares=tuple((100 // len(shares), share) for share in shares))
        keys = [
            f"{name}.example.org",
            f"{name}.example.org/x",
            "w.example.org",
            "w.example.org/",
            f"w.example.org/{name}",
            "v1--a.example.org",
        ]
        for key in draw(st.lists(st.sampled_from(keys), max_size=4)):
            routes.setdefault(key, route)
    return routes


def _version(name: str, number: int, slots: tuple[int, ...]) -> Route:
    return Route(
        name, number, slots[0] if slots else None, 900, slots, request_body_bytes=10 if number == 3 else 10 << 20
    )


@given(st.lists(st.tuples(_route_sets(), st.frozensets(st.sampled_from("abc"))), max_size=6))
def test_a_board_is_as_one_made_anew_and_tells_every_change(
    steps: list[tuple[dict[str, Route], frozenset[str]]],
) -> None:
    board = maps.Board()
    told: dict[str, dict[str, str]] = {settings.PICKS: {}, settings.PATHS: {}, settings.HOSTS: {}}
    for routes, caching in steps:
        for name, changes in maps.in_order(board.take(routes, caching)):
            for key, value in changes.items():
                if value is None:
                    del told[name][key]
                else:
                    assert told[name].get(key) != value
                    told[name][key] = value
        anew = maps.Board()
        anew.take(routes, caching)
        assert told == board.entries == anew.entries


@given(_route_sets(), _route_sets())
def test_no_entry_ever_refers_to_what_is_not_there(before: dict[str, Route], after: dict[str, Route]) -> None:
    board = maps.Board()
    board.take(before, ())
    told = {name: dict(entries) for name, entries in board.entries.items()}
    for name, changes in maps.in_order(board.take(after, ())):
        for key, value in changes.items():
            if value is None:
                del told[name][key]
            else:
                told[name][key] = value
            _check_references(told)


def _check_references(told: dict[str, dict[str, str]]) -> None:
    for host, value in told[settings.HOSTS].items():
        if value == "/":
            assert any(key.startswith(f"{host}/") for key in told[settings.PATHS])
    # A path's entry is looked at only where its host's entry says so.
    read = [value for host, value in told[settings.HOSTS].items() if value != "/"]
    read += [
        value for key, value in told[settings.PATHS].items() if told[settings.HOSTS].get(key.partition("/")[0]) == "/"
    ]
    for value in read:
        if value[0] in "%+" and "|" not in value:
            assert {f"{value}:{number}" for number in range(100)} <= told[settings.PICKS].keys()


async def test_few_changes_are_made_in_place(tmp_path: Path) -> None:
    ingress = Ingress(settings.Ingress("tokyo-1", "tokyo", (ADDRESS,), 2, str(tmp_path), str(tmp_path)))
    routes = {f"h{number}.example.org": Route("a", 1, None, 700) for number in range(100)}
    await ingress.start(routes)
    runtime = Runtime(tmp_path / "haproxy.sock")
    try:
        async with httpx.AsyncClient(base_url=f"http://{ADDRESS}", timeout=5) as client:

            async def version(host: str) -> tuple[int, str]:
                answer = await client.get("/", headers={"host": host})
                return answer.status_code, answer.headers.get("x-nearhop-version", "")

            generation = await _generation(runtime)
            del routes["h1.example.org"]
            await ingress.set_routes(
                {**routes, "h0.example.org": Route("a", 2, None, 700), "new.example.org": Route("a", 3, None, 700)}
            )
            assert await _generation(runtime) == generation
            assert await version("h0.example.org") == (503, "2")
            assert await version("h1.example.org") == (404, "")
            assert await version("h2.example.org") == (503, "1")
            assert await version("new.example.org") == (503, "3")
            await ingress.set_routes({host: Route("a", 4, None, 700) for host in routes})
            assert await _generation(runtime) != generation
            assert await version("h9.example.org") == (503, "4")
            assert await version("new.example.org") == (404, "")
    finally:
        await asyncio.wait_for(ingress.stop(0), 5)


@pytest.fixture
async def ingress(tmp_path: Path) -> AsyncIterator[Ingress]:
    ingress = Ingress(settings.Ingress("tokyo-1", "tokyo", (ADDRESS,), 2, str(tmp_path), str(tmp_path)))
    await ingress.start({f"h{number}.example.org": Route("a", 1, None, 700) for number in range(100)})
    yield ingress
    await asyncio.wait_for(ingress.stop(0), 5)


async def test_what_haproxy_has_otherwise_is_put_right(ingress: Ingress, tmp_path: Path) -> None:
    runtime = Runtime(tmp_path / "haproxy.sock")
    await ingress.compare()
    generation, whole = await _generation(runtime), await runtime.lines(settings.HOSTS)
    assert len(whole) == 100
    for disturbance in ("set map {} h0.example.org x", "del map {} h1.example.org", "add map {} h2.example.org twice"):
        await runtime.ask(disturbance.format(settings.HOSTS))
        assert sorted(await runtime.lines(settings.HOSTS)) != sorted(whole)
        await ingress.compare()
        assert sorted(await runtime.lines(settings.HOSTS)) == sorted(whole)
        assert await _generation(runtime) != generation
        generation = await _generation(runtime)
    await ingress.compare()
    assert await _generation(runtime) == generation


async def test_a_change_that_haproxy_refused_is_made_good_by_the_next(ingress: Ingress, tmp_path: Path) -> None:
    runtime = Runtime(tmp_path / "haproxy.sock")
    routes = {f"h{number}.example.org": Route("a", 1, None, 700) for number in range(100)}
    await runtime.ask(f"del map {settings.HOSTS} h5.example.org")
    with pytest.raises(IngressError, match="refused"):
        await ingress.set_routes({**routes, "h5.example.org": Route("a", 2, None, 700)})
    await ingress.set_routes({**routes, "h6.example.org": Route("a", 3, None, 700)})
    found = await runtime.lines(settings.HOSTS)
    assert len(found) == 100
    assert "h5.example.org none|a|1|700|no_sandbox\n" in found
    assert "h6.example.org none|a|3|700|no_sandbox\n" in found


async def test_paths_of_files_may_hold_what_means_something_in_a_command(ingress: Ingress, tmp_path: Path) -> None:
    runtime = Runtime(tmp_path / "haproxy.sock")
    await ingress.set_assets({"set": ["/plain.js"]})
    await ingress.set_assets({"set": ["/plain.js", "/a;b.js", "/it's", "/<<"]})
    assert {line.split()[0] for line in await runtime.lines(settings.ASSETS)} == {
        "set|/plain.js",
        "set|/a;b.js",
        "set|/it's",
        "set|/<<",
    }


async def _generation(runtime: Runtime) -> str:
    """Return what HAProxy says of the host map's generation: a map that is replaced as a whole has a new one."""
    [line] = [line for line in (await runtime.ask("show map")).splitlines() if settings.HOSTS in line]
    return line.partition("curr_ver=")[2].split()[0]
