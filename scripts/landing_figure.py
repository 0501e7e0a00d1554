"""Draw the figure of the landing page: `python scripts/landing_figure.py` writes docs/_static/landing.svg.

The drawing stands inside the page, so black becomes the colour of the text, in light and in dark.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

import erlangen as er

TARGET = Path(__file__).parents[1] / "docs" / "_static" / "landing.svg"
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "erlangen"}
WORDS = (
    "Left: relative defects of twelve directions; three are rounding, 1e-15, nine lie near 1. "
    "Right: level lines of the function in the plane of x and y, and circles along which one of the three moves points."
)


def f(x: np.ndarray) -> np.ndarray:
    return np.exp(-(x**2).sum(axis=1))


def main() -> None:
    sym = er.discover(f, er.actions.affine(3), er.Samples.box(-1, 1, dim=3))
    figure = Figure(figsize=(7.2, 2.7), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.5, 1])
    left.semilogy(np.arange(1, 13), np.maximum(sym.spectrum, 1e-15), "o", color="#d9822b")
    left.axhline(0.05, color="#7a88a8", linestyle="--")
    left.text(12.3, 0.02, "delta = 0.05", ha="right", va="top", color="#7a88a8")
    left.text(2, 2e-14, "so(3)", ha="center", va="bottom", color="#d9822b", fontsize=13)
    left.set(xlabel="direction", ylabel="relative defect", ylim=(1e-16, 10), xticks=[1, 3, 6, 9, 12])

    u = np.linspace(-1.2, 1.2, 41)
    x, y = np.meshgrid(u, u)
    heights = f(np.stack([x, y, 0 * x], axis=-1).reshape(-1, 3)).reshape(x.shape)
    right.contour(x, y, heights, 6, colors="#7a88a8", linewidths=0.8)
    for r in (0.45, 0.9):
        turn = np.linspace(0.2, 2 * np.pi, 60)
        right.plot(r * np.cos(turn), r * np.sin(turn), color="#d9822b", linewidth=1.6)
        tip, back = (r * np.array([np.cos(a), np.sin(a)]) for a in (2 * np.pi, 2 * np.pi - 0.05))
        right.annotate("", tip, back, arrowprops={"arrowstyle": "-|>", "color": "#d9822b", "lw": 1.6})
    right.set(aspect="equal", xlabel="x", ylabel="y", title="x d/dy - y d/dx", xticks=[-1, 0, 1], yticks=[-1, 0, 1])

    buffer = io.StringIO()
    with rc_context(STYLE):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawing = buffer.getvalue()[buffer.getvalue().index("<svg") :]
    drawing = re.sub(r"<metadata>.*?</metadata>\s*|<defs>\s*<style.*?</defs>\s*", "", drawing, flags=re.DOTALL)
    drawing = re.sub('font-family: [^;"]*', "font-family: sans-serif", drawing)
    drawing = drawing.replace("#000000", "currentColor").replace('<text style="', '<text fill="currentColor" style="')
    words = f"<title>so(3) in a function of three variables</title><desc>{WORDS}</desc>"
    drawing = re.sub(r"(<svg[^>]*)>", rf'\1 role="img" fill="currentColor">{words}', drawing, count=1)
    TARGET.write_text(re.sub(r"[ \t]+$", "", drawing, flags=re.MULTILINE), encoding="utf-8")


if __name__ == "__main__":
    main()
