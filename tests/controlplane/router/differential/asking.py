"""Sends many queries to one server, some at a time, and gives back the replies in the queries' order."""

import socket
from collections.abc import Sequence

WINDOW = 50
QUIET_S = 0.15  # after which what has not come is asked again, alone
ALONE_S = 0.25


def ask_all(at: tuple[str, int], source: str, queries: Sequence[bytes]) -> list[bytes | None]:
    """Return a reply for each of *queries* (whose ids are replaced and put back to 0), None where there is none."""
    replies: list[bytes | None] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((source, 0))
        sock.connect(at)
        for start in range(0, len(queries), WINDOW):
            window = dict(enumerate(queries[start : start + WINDOW], start))
            found = _exchange(sock, window, QUIET_S)
            for number, query in window.items():
                if number not in found:  # lost, late, or never answered
                    found |= _exchange(sock, {number: query}, ALONE_S)
            replies += [found.get(number) for number in window]
    return replies


def _exchange(sock: socket.socket, queries: dict[int, bytes], quiet_s: float) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    numbers = {
        number & 0xFFFF: number for number in queries
    }  # so far from the last time of the same id that no late reply is mistaken
    for number, query in queries.items():
        sock.send((number & 0xFFFF).to_bytes(2) + query[2:])
    sock.settimeout(quiet_s)
    while len(found) < len(queries):
        try:
            reply = sock.recv(65536)
        except TimeoutError:
            break
        number = numbers.get(int.from_bytes(reply[:2]), -1)
        if number >= 0:
            found[number] = b"\0\0" + reply[2:]
    return found
