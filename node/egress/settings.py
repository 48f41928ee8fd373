"""The rules on their way from the agent to the proxy's process. Pure."""

import json
from ipaddress import ip_address, ip_network

from node.egress.addresses import Rules


def encode(rules: Rules) -> str:
    return json.dumps(
        {
            "allow": [str(network) for network in rules.allow],
            "own": sorted(str(address) for address in rules.own),
            "denied_ports": sorted(rules.denied_ports),
        }
    )


def decode(text: str) -> Rules:
    raw = json.loads(text)
    return Rules(
        allow=tuple(ip_network(network) for network in raw["allow"]),
        own=frozenset(ip_address(address) for address in raw["own"]),
        denied_ports=frozenset(raw["denied_ports"]),
    )
