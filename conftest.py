"""Makes the harness' fixtures known to every test, those of the examples included, and tells which tests start real processes."""

import pytest

pytest_plugins = ["tests.harness.fixtures"]

# Who asks for one of these has an etcd, a fleet, or the command line as a process: too slow for the minute that unit tests may take.
REAL = {"shared_etcd", "etcd", "store", "shared_cluster", "cluster", "terminal"}


@pytest.hookimpl(tryfirst=True)  # before -m looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if REAL & set(getattr(item, "fixturenames", ())) and "tests/compose" not in item.nodeid:
            item.add_marker(pytest.mark.acceptance)
