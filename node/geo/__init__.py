"""Where clients are: one reader of the node's City database for all sandboxes, on a unix socket.

records.py (pure) makes an answer of a database's record, service.py serves it. It knows addresses and nothing of functions.
"""
