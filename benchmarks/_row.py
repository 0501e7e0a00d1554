"""One row of a table of measurements: what `benchmarks.__main__` prints."""

from __future__ import annotations

from typing import Any


def row(
    case: str, metric: str, value: float, against: float | None, asked: str | None, met: bool | None = None
) -> dict[str, Any]:
    """A value beside what it is compared with, their ratio (none to zero), and whether a bound holds."""
    ratio = value / against if against else None
    return {
        "case": case,
        "metric": metric,
        "value": value,
        "rival": against,
        "ratio": ratio,
        "asked": asked,
        "met": met,
    }
