"""The special-purpose ranges, which no function may reach: those of both ways out of a sandbox. Pure."""

from ipaddress import IPv4Network, IPv6Network

# IANA's registries, multicast, and a metadata service that a cloud put on a public address.
SPECIAL_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # Azure's; the others' lie in 169.254/16, 100.64/10 and 192.0.0/24
    )
)  # fmt: skip
# Within global unicast (2000::/3); what lies outside of that is special as a whole.
SPECIAL_V6 = tuple(
    IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)
