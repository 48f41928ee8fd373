"""Controllers: loops that bring the records to where they should be.

Rule 1: a watch only enqueues keys; a worker takes a key, reads the newest view, converges, and may run twice without harm.
Rule 2: every key is visited again now and then, whatever the watch said.
Rule 3: of several control planes one leads each controller, and only with the leader's store (Store.fenced) does it write.
Rule 4: what to do is decided in the pure packages; here it is only read, asked and written, by compare.
"""
