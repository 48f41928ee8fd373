"""Addresses in use are told with the process that has them."""

import os
import socket

from deploy.local.ports import Listener, refusals

ADDRESS = "127.91.2.1"


def taken(kind: socket.SocketKind, address: str = ADDRESS) -> socket.socket:
    holder = socket.socket(socket.AF_INET, kind)
    holder.bind((address, 0))
    if kind is socket.SOCK_STREAM:
        holder.listen()
    return holder


def test_free_addresses_are_not_refused() -> None:
    with taken(socket.SOCK_STREAM) as holder:
        port = holder.getsockname()[1]
    assert refusals([Listener("etcd", ADDRESS, port), Listener("dns", ADDRESS, port, udp=True)]) == []


def test_a_taken_port_is_told_with_its_process() -> None:
    with taken(socket.SOCK_STREAM) as holder:
        port = holder.getsockname()[1]
        [said] = refusals([Listener("etcd", ADDRESS, port), Listener("dns", ADDRESS, port, udp=True)])
    assert said.startswith(f"etcd wants {ADDRESS}:{port}/tcp, which process {os.getpid()} (")


def test_a_taken_udp_port_is_told_too() -> None:
    with taken(socket.SOCK_DGRAM) as holder:
        port = holder.getsockname()[1]
        [said] = refusals([Listener("dns", ADDRESS, port, udp=True)])
    assert f"{ADDRESS}:{port}/udp, which process {os.getpid()} (" in said


def test_a_process_on_every_address_is_found() -> None:
    with taken(socket.SOCK_STREAM, "0.0.0.0") as holder:
        port = holder.getsockname()[1]
        [said] = refusals([Listener("etcd", ADDRESS, port)])
    assert f"process {os.getpid()} (" in said


def test_an_address_that_is_not_here_is_told() -> None:
    [said] = refusals([Listener("etcd", "192.0.2.1", 7400)])
    assert "cannot be had" in said
