from controlplane.monitoring import Metric, plain, render


def test_families_are_rendered_with_help_type_and_escaped_labels() -> None:
    metrics = [
        Metric("a_total", "counter", "Help.", [((("k", 'a"b\\c\nd'),), 3)]),
        plain("b", "gauge", "Other.", True),
    ]
    assert render(metrics) == (
        "# HELP a_total Help.\n# TYPE a_total counter\n"
        'a_total{k="a\\"b\\\\c\\nd"} 3\n'
        "# HELP b Other.\n# TYPE b gauge\nb 1\n"
    )
