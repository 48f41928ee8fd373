"""Makes the harness' fixtures known to every test, those of the examples included, and tells which tests start real processes."""

import pytest

pytest_plugins = ["tests.harness.fixtures"]

# They measure time, or what a load leaves to others: a second test beside them would be part of what they see.
ALONE = (
    "tests/acceptance/test_failover.py",
    "tests/acceptance/test_flips.py",
    "tests/acceptance/test_replicas.py",
    "tests/controlplane/api/test_two_routers.py",
    "tests/controlplane/router/test_server.py",
    "tests/controlplane/router/test_witnesses.py",
    "tests/deploy/test_up.py",
    "tests/node/agent/test_agent.py",
    "tests/node/agent/test_lifecycle.py::test_a_busy_function_gets_more_sandboxes",
    "tests/node/agent/test_trouble.py",
)


@pytest.hookimpl(tryfirst=True)  # before -m looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "real" in getattr(item, "fixturenames", ()) and "tests/compose" not in item.nodeid:
            item.add_marker(pytest.mark.acceptance)
        if item.nodeid.startswith(ALONE):
            item.add_marker(pytest.mark.alone)
