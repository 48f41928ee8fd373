"""Makes the harness' fixtures known to every test, those of the examples included."""

pytest_plugins = ["tests.harness.fixtures"]
