"""Metrics in Prometheus' text format, version 0.0.4."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """One family. *samples* pairs labels with a value; no labels is an empty tuple."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    samples: list[tuple[tuple[tuple[str, str], ...], float]] = field(default_factory=list)


def plain(name: str, kind: Literal["counter", "gauge"], help_text: str, value: float) -> Metric:
    """Return a family of one sample without labels."""
    return Metric(name, kind, help_text, [((), value)])


def render(metrics: list[Metric]) -> str:
    """Render *metrics*, each family with its help and type."""
    lines = []
    for metric in metrics:
        lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}"]
        for labels, value in metric.samples:
            inner = ",".join(f'{name}="{_escape(text)}"' for name, text in labels)
            lines.append(f"{metric.name}{{{inner}}} {value:.17g}" if inner else f"{metric.name} {value:.17g}")
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
