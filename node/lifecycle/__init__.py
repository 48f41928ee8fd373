"""Sandbox lifecycle: a sans-I/O state machine.

Rule 1: every change of a sandbox's state happens in step(), and nowhere else.
Rule 2: nothing here reads a clock, opens a file or awaits. Time arrives as *now*; wishes leave as commands.
Invariants: between a Spawn and its Exited there is never another Spawn (one live process for one slot); once faults stop, a sandbox that was
ready once becomes ready again, and one that is retired ends.
"""
