"""The commands: their arguments and help. Each imports what it works with when it is called."""
