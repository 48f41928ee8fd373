"""A whole cluster on one machine: `nearhop up`.

Rule 1: everything listens on loopback, and everything that is written is in one folder, which `down --purge` removes.
Rule 2: no process outlives `up`, however it ends: each part dies with its parent.
settings.py says what and where, parts.py with which configuration, supervisor.py keeps it running, up.py puts it together.
"""
