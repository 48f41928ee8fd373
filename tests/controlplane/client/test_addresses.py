from controlplane.client import addresses
from nearhop.v1 import common_pb2, nodes_pb2


def node(port: int = 80, *, ipv4: str = "", ipv6: str = "") -> nodes_pb2.Node:
    where = common_pb2.Ingress(port=port, ipv4=[ipv4] if ipv4 else [], ipv6=[ipv6] if ipv6 else [])
    return nodes_pb2.Node(ingress=where)


def test_a_node_is_reached_at_its_first_address() -> None:
    assert addresses.ingress(node(7480, ipv4="192.0.2.1", ipv6="2001:db8::1")) == "192.0.2.1:7480"
    assert addresses.ingress(node(7480, ipv6="2001:db8::1")) == "[2001:db8::1]:7480"
    assert addresses.ingress(node()) is None


def test_a_functions_url_names_the_port_unless_it_is_the_usual_one() -> None:
    assert addresses.function_url("hello.example.org", [node(7480)]) == "http://hello.example.org:7480/"
    assert addresses.function_url("hello.example.org", [node(80)]) == "http://hello.example.org/"
    assert addresses.function_url("hello.example.org", []) == "http://hello.example.org/"
    assert addresses.function_url(None, [node()]) is None
