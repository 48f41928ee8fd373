"""Sandboxes: one Deno process each, on one slot's unix socket.

pool.py says which slot runs what; runner.py carries out on one slot what the lifecycle decides; watch.py looks at what runs, instances.py at how
busy it is; process.py is one process; command.py and egress.py (pure) say what it may do; guest/ is the trusted code inside it.
"""
