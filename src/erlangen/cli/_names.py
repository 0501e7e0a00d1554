"""Column names from the command line."""

from __future__ import annotations

from collections.abc import Sequence


def names(given: Sequence[str] | None) -> str | None:
    """Join what a repeated option collected; each may hold several names with commas."""
    return ",".join(given) if given else None


def shown(columns: Sequence[str], most: int = 12) -> str:
    """List names in one line."""
    return ", ".join(columns[:most]) + (" ..." if len(columns) > most else "")
