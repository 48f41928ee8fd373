"""What both sides of Nearhop share: the gRPC contract (nearhop.v1) and the rules that must not differ between them."""

import os

# gRPC tells of each refused TLS handshake on standard error, whatever the log level of its process; it reads this when it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
