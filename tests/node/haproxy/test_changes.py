"""Changes of a map: found between two texts, and made in a running HAProxy one entry after another."""

import asyncio
import os
from pathlib import Path

import httpx
from hypothesis import given
from hypothesis import strategies as st

from node.haproxy import maps, settings
from node.haproxy.process import Ingress
from node.haproxy.runtime import Runtime
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


async def _generation(runtime: Runtime) -> str:
    """Return what HAProxy says of the host map's generation: a map that is replaced as a whole has a new one."""
    [line] = [line for line in (await runtime.ask("show map")).splitlines() if settings.HOSTS in line]
    return line.partition("curr_ver=")[2].split()[0]
