"""The dashboard: the fleet in a browser.

Rule 1: everything that it knows and does goes through the gRPC API, with the rights of the person who looks; it reads no store.
Rule 2: a page never shows more than is known: what is old says how old, what failed says why.
render and fold are pure; control, feed and app are the shells. web/ holds the page's sources, static/ what `make web` makes of them.
"""
