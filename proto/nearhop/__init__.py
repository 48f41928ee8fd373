"""What both sides of Nearhop share: the gRPC contract (nearhop.v1) and the rules that must not differ between them."""
