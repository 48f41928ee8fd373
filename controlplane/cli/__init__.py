"""The command line: one module per command, each a thin client of the gRPC API.

Rule 1: there is no private door; whatever a command does, any gRPC client can do.
Rule 2: data goes to standard output, and with --json nothing but JSON; progress and errors go to standard error.
Rule 3: text that came from a node or a program is shown through show.printable, never as it is.
Modules that need gRPC are imported inside the commands, so that --help stays quick.
"""
