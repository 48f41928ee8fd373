from controlplane.api import connections
from controlplane.api.connections import API, FLEET, Connections


def test_a_connection_counts_once_however_often_it_calls() -> None:
    counted = Connections()
    for listener, peer in ((API, "ipv4:192.0.2.1:1"), (API, "ipv4:192.0.2.1:2"), (FLEET, "ipv4:192.0.2.1:3")):
        counted.begin(listener)
        for _ in range(3):
            counted.call(listener, peer)
    counted.begin(FLEET)
    assert counted.begun == {API: 2, FLEET: 2}
    assert counted.calling == {API: 2, FLEET: 1}


def test_what_is_remembered_is_bounded_and_forgets_the_quietest() -> None:
    counted = Connections()
    counted.call(API, "first")
    counted.call(API, "second")
    for number in range(connections._PEERS_MAX - 1):
        counted.call(API, "first")
        counted.call(API, f"other {number}")
    counted.call(API, "first")
    assert counted.calling[API] == connections._PEERS_MAX + 1
    counted.call(API, "second")
    assert counted.calling[API] == connections._PEERS_MAX + 2
