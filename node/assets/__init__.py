"""Static files of versions: kept by the pack's digest, served by a Deno process of our own.

Rule 1: routing.py alone decides which path shows which file; the server looks it up. store.py keeps packs whole and verified, or not at all.
Rule 2: no byte of a pack is run, here or in the server, which reads the store's folder and answers on one unix socket.
"""
