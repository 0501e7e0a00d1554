"""A figure of Matplotlib that a notebook shows without a plotting backend: imported where a figure is made."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

DOTS = 144
"""Dots per inch in a notebook: sharp on a fine screen, and tens of kilobytes."""


class ShownFigure(Figure):
    """A figure that stands for itself: it is in no list of open figures, and needs not be closed.

    Examples
    --------
    >>> ShownFigure(figsize=(1, 1))._repr_png_()[1:4]
    b'PNG'
    """

    def _repr_png_(self) -> bytes:
        out = io.BytesIO()
        self.savefig(out, format="png", dpi=DOTS)
        return out.getvalue()
