"""Real processes for tests: etcd, control plane, router and nodes, each an async context manager, ready when it is entered."""
