"""The agent: keeps the Sync stream, the spool and the bundles, and carries out what plan.diff() decides.

loop.py is the reconcile loop; session.py speaks gRPC; codec.py is the only module that knows both the contract's messages and the plan's records.
"""
