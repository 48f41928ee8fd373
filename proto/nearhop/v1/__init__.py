"""Generated stubs of the contract; the .proto files beside them are the manual. `make proto` writes them."""
