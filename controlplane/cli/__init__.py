"""The command line: one module per command, each a thin client of the gRPC API.

Rule 1: there is no private door; whatever a command does, any gRPC client can do.
Rule 2: data goes to standard output, and with --json nothing but JSON; progress and errors go to standard error.
What it shares with other clients of the API, such as `nearhop up`, is in controlplane/client.
Modules that need gRPC are imported inside the commands, so that --help stays quick.
"""
