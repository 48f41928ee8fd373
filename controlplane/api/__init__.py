"""The gRPC services, and nothing but: who may ask what, and in which words the answer comes.

Rule 1: only here do errors become a gRPC status, by the one table of errors.py.
Rule 2: only codec.py turns protobuf messages into records and back.
Rule 3: every mutating call goes through mutations.py, which makes it atomic and repeatable; reads come from the cache.
"""
