"""Sandboxes: one Deno process each, on one slot's unix socket.

pool.py holds them and carries out what the lifecycle decides; process.py is one process; command.py and egress.py (pure) say what it may do;
guest/ is the trusted code inside it.
"""
