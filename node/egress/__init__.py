"""The way out of sandboxes: a proxy on a unix socket, in a process of its own, that lets them reach the public Internet and nothing else.

addresses.py and request.py (pure) decide; proxy.py resolves once, checks every address and connects to the one that it checked;
supervisor.py is the agent's end.
"""
