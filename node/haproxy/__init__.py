"""The ingress: HAProxy's configuration, its runtime API, its process, and the country map.

render is pure. Everything that changes while the node runs (hosts, reasons, countries) is a map, changed through the runtime API and kept on
disk, so that HAProxy is never reloaded and a restarted HAProxy starts from the same state.
"""
