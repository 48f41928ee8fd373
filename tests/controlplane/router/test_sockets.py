import socket

import pytest

from controlplane.router.config import Endpoint
from controlplane.router.sockets import ListenFailed, bind_dns, bind_tcp, bound


@pytest.mark.parametrize("host", ["127.53.1.1", "::1"])
def test_udp_and_tcp_share_a_port(host: str) -> None:
    udp, tcp = bind_dns(Endpoint(host, 0))
    assert bound(udp) == bound(tcp)
    assert bound(udp).port
    udp.close()
    tcp.close()


def test_a_port_in_use_is_named() -> None:
    first = bind_tcp(Endpoint("127.53.1.1", 0))
    taken = bound(first)
    with pytest.raises(ListenFailed, match=f"cannot listen on TCP {taken}: Address already in use"):
        bind_tcp(taken)
    with pytest.raises(ListenFailed, match=f"TCP {taken}"):
        bind_dns(taken)
    first.close()
    again = bind_tcp(taken)
    again.close()


def test_a_shared_port_is_bound_by_all_who_share_it() -> None:
    pairs = [bind_dns(Endpoint("127.53.1.2", 0), shared=True)]
    at = bound(pairs[0][0])
    pairs += [bind_dns(at, shared=True), bind_dns(at, shared=True)]
    assert {bound(sock) for pair in pairs for sock in pair} == {at}
    with pytest.raises(ListenFailed):
        bind_dns(at)
    for sock in (sock for pair in pairs for sock in pair):
        sock.close()


def test_the_wildcards_of_both_families_go_side_by_side() -> None:
    six = bind_tcp(Endpoint("::", 0))
    four = bind_tcp(Endpoint("0.0.0.0", bound(six).port))
    assert six.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    four.close()
    six.close()
