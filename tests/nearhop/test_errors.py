from nearhop.errors import InvalidInput, NearhopError, Violation


def test_an_invalid_input_tells_every_violation() -> None:
    violations = [Violation("name", "must not be empty"), Violation("limits.cpu_ms", "is too much")]
    error = InvalidInput(violations)
    assert isinstance(error, NearhopError)
    assert error.violations == violations
    assert str(error) == "name: must not be empty; limits.cpu_ms: is too much"
