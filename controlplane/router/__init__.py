"""The router: an authoritative DNS server for one zone that sends each client to its nearest healthy node.

Messages pass wire (parse) -> responder (zone, steering) -> wire (render) between udp or tcp's receive and send, without await or lock. What answers
are made from comes from two sides: replica (routing views from the control plane, spooled) and probes (this router's own verdicts on the nodes).
server holds them together; http explains. wire and zone are pure.
"""
