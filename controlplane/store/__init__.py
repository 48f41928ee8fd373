"""All of the platform's state, in etcd.

Rule 1: keys.py is the whole key layout, codec.py the whole value format; nothing else spells a key or parses a value.
Rule 2: every write is a transaction with a compare; a stale writer is refused with Conflict.
Rule 3: a watch is never trusted alone: cache.py lists, then watches, and lists again on any doubt.
"""
