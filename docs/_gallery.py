"""What the gallery collects beside figures of pyplot: those that `erlangen.plot` returns."""

from __future__ import annotations

from typing import Any

from matplotlib import pyplot
from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst


def figures(block: tuple, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Write each new figure of the example's variables that pyplot does not know, and return the text that shows it."""
    seen = block_vars["example_globals"].setdefault("__figures__", [])
    shown = [pyplot.figure(number) for number in pyplot.get_fignums()]
    paths, words = [], []
    for value in list(block_vars["example_globals"].values()):
        if isinstance(value, Figure) and not any(value is other for other in (*seen, *shown)):
            seen.append(value)
            paths.append(next(block_vars["image_path_iterator"]))
            value.savefig(paths[-1], format="png", dpi=150)
            words += [
                axes.get_title() or axes.get_title(loc="left") or axes.get_ylabel() or axes.get_xlabel()
                for axes in value.axes
            ]
    return figure_rst(paths, gallery_conf["src_dir"], ", ".join(filter(None, words)))
