import pytest

from node.haproxy.runtime import Counters, IngressError, Runtime, _chunks, parse_connections, parse_stat

STAT = (
    "# pxname,svname,qcur,qmax,scur,smax,slim,stot,\n"
    "s000,sandbox,1,1,2,4,,9,\n"
    "s000,sink,0,0,1,4,,3,\n\n"
    "# pxname,svname,qcur,qmax,scur,smax,slim,stot,\n"
    "s001,sandbox,,,,,,,\n\n"
)


def test_counters_are_those_of_the_sandbox() -> None:
    assert dict(parse_stat(STAT)) == {"s000": Counters(finished=7, in_flight=3), "s001": Counters(0, 0)}


def test_connections_are_those_of_the_sandbox() -> None:
    answer = "# bkname/svname bkid/svid addr port - purge_delay used_cur idle_cur\ns000/sandbox 3/1 - 0 - 5000 1 2\ns000/sink 3/2 - 0 - 5000 4 4\n\n"
    assert parse_connections(answer) == 3
    assert parse_connections("No such backend.\n") == 0


def test_a_map_of_any_size_goes_in_chunks_that_end_with_an_empty_line() -> None:
    text = "".join(f"host-{n}.example.org s000|f|1|1000\n" for n in range(2000))
    chunks = list(_chunks(text))
    assert all(len(chunk) <= 12_001 and chunk.endswith("\n") for chunk in chunks)
    assert "".join(chunks) == text
    assert list(_chunks("")) == []


async def test_a_haproxy_that_is_not_there_is_an_ingress_error(tmp_path) -> None:
    with pytest.raises(IngressError, match="does not answer"):
        await Runtime(tmp_path / "none.sock").ask("show version")
