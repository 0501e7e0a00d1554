"""``er.plot``: one figure of any result, for papers. Matplotlib draws it, and nothing global is touched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._formula import Formula
from erlangen._typing import NDArray
from erlangen.reports._draw import EDGE, INK, SOFT, WIDTH, colour_of, draw_trace, frame, matplotlib_figure
from erlangen.reports._evidence_figures import _short
from erlangen.reports._figures import Figure
from erlangen.reports._story import home_of

ROW = 2.5
"""Height of a row of panels, in inches."""

MOST_FIELDS = 4
"""Generators whose vector fields are drawn."""

MOST_ARROWS = 110

MOST_LETTERS = 44
"""Letters of a title: what fits above a panel."""

MOST_PANELS = 6

Panel = tuple[str, Callable[[Any], None]]
"""Title of a panel, and what draws it into Matplotlib axes."""


def plot(result: Any, data: Any = None, *, axes: Sequence[str] | None = None) -> Any:
    """Draw a result as one figure for a paper.

    A symmetry shows its spectrum, the dimension that is certified as a function of delta, and the vector fields of
    its generators over the data; a certificate its path and its bounds; conserved quantities their spectrum and, given
    the runs, what stays along them; equations their coefficients or, given the runs, their solutions; a subspace of
    `erlangen.enforce` its basis; promoted fits what they break.

    Parameters
    ----------
    result : object
        What a verb returned; see `erlangen.report`.
    data : object, optional
        What the result was found from, as for `erlangen.report`.
    axes : sequence of two str, optional
        Coordinates of the vector fields; by default those that generators move most.

    Returns
    -------
    matplotlib.figure.Figure
        Write it with `erlangen.reports.save_figure`, as ``.pdf``, ``.svg`` or ``.png``; or change it further.

    Raises
    ------
    InputError
        Where there is no figure of such an object, or a coordinate is not one of it.
    MissingExtraError
        Where Matplotlib is not installed.

    Examples
    --------
    >>> import erlangen as er
    >>> sym = er.discover(lambda x: x[:, 0] ** 2 + x[:, 1] ** 2, samples=er.Samples.box(-1, 1, dim=2))
    >>> len(er.plot(sym).axes)
    3
    """
    home = home_of(result)
    if home not in _PANELS:
        fix = 'er.report(result, "report.html")'
        given, expected = f"an object of type {type(result).__name__}", "a symmetry, a certificate, a fit, or a basis"
        raise InputError(explain("There is no figure of this object.", given=given, expected=expected, fix=fix))
    return compose(_PANELS[home](result, data, axes))


def compose(panels: Sequence[Panel]) -> Any:
    """A figure of panels, two in a row."""
    columns = 1 if len(panels) == 1 else 2
    rows = -(-len(panels) // columns)
    canvas = matplotlib_figure(figsize=(WIDTH, ROW * rows + 0.3), layout="constrained")
    for k, (title, paint) in enumerate(panels):
        axes = canvas.add_subplot(rows, columns, k + 1)
        paint(axes)
        axes.set_title(text(_short(title, MOST_LETTERS)), fontsize=9, color=INK, loc="left")
        axes.tick_params(labelsize=7, colors=SOFT)
        for label in (axes.xaxis.label, axes.yaxis.label):
            label.set_fontsize(8)
    return canvas


def text(words: str) -> str:
    """Words as Matplotlib shows them as they are: a dollar sign of the data begins no formula."""
    return words.replace("$", r"\$")


def plain(title: str, figure: Figure) -> Panel:
    """A panel that shows a figure of a page, with what its colours mean."""

    def paint(axes: Any) -> None:
        from matplotlib.lines import Line2D

        for trace in figure["data"]:
            draw_trace(axes, trace)
        frame(axes, figure["layout"])
        listed = figure["layout"].get("meta", {}).get("legend", ())
        handles = [Line2D([], [], color=colour_of(run), linewidth=3, label=text(name)) for name, run in listed]
        if handles:
            axes.legend(handles=handles, fontsize=7, frameon=False, loc="best")

    return title, paint


def stacked(figure: Figure) -> list[Panel]:
    """The panels of a figure of a page that has several, one for each vertical axis."""
    names = list(dict.fromkeys(trace["yaxis"] for trace in figure["data"]))[:MOST_PANELS]
    out = []
    for name in names:
        below = figure["layout"]["yaxis" + name[1:]]
        layout = {"xaxis": figure["layout"]["xaxis"], "yaxis": {}, "meta": {}}
        part = {"data": [trace for trace in figure["data"] if trace["yaxis"] == name], "layout": layout}
        out.append(plain(below.get("title", {}).get("text", ""), part))
    return out


def image(title: str, matrix: NDArray, rows: str, columns: str) -> Panel:
    """A panel that shows a matrix: blue is negative, red positive, white zero."""

    def paint(axes: Any) -> None:
        size = float(np.abs(matrix).max(initial=0.0)) or 1.0
        shown = axes.imshow(matrix, cmap="RdBu_r", vmin=-size, vmax=size, aspect="auto", interpolation="nearest")
        for axis in (axes.xaxis, axes.yaxis):
            axis.get_major_locator().set_params(integer=True)
        axes.set_xlabel(columns, color=SOFT)
        axes.set_ylabel(rows, color=SOFT)
        axes.figure.colorbar(shown, ax=axes, shrink=0.8).ax.tick_params(labelsize=7)

    return title, paint


def stems(title: str, values: NDArray, kept: NDArray, names: tuple[str, str], words: tuple[str, str]) -> Panel:
    """A panel of numbers in order, in two colours: those that are kept, and the others."""

    def paint(axes: Any) -> None:
        at = np.arange(1, len(values) + 1)
        for run, chosen, word in ((0, kept, words[0]), (1, ~kept, words[1])):
            if chosen.any():
                axes.vlines(at[chosen], 0, values[chosen], color=colour_of(run), linewidth=1.4)
                axes.scatter(at[chosen], values[chosen], s=16, color=colour_of(run), zorder=3, label=word)
        axes.set_xlabel(names[0], color=SOFT)
        axes.set_ylabel(names[1], color=SOFT)
        axes.grid(True, axis="y", color=EDGE, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=7, frameon=False)

    return title, paint


# --- panels of each kind of result


def _symmetry(result: Any, data: Any, axes: Sequence[str] | None) -> list[Panel]:
    from erlangen.reports._evidence_figures import path_figure
    from erlangen.reports.symmetry import spectrum_figure

    panels = [plain("Spectrum", spectrum_figure(result))] if len(result.spectrum) else []
    if result.certificate is not None:
        panels.append(plain("Dimension as a function of delta", path_figure(result)))
    listed = (*result.found.generators, *result.found.own)[:MOST_FIELDS]
    panels += [_field(result, one.xi, axes) for one in listed if len(result.points)]
    return panels or [_words(result.verdict)]


def _words(sentence: str) -> Panel:
    def paint(axes: Any) -> None:
        axes.set_axis_off()
        axes.text(0, 0.5, text(sentence), wrap=True, fontsize=9, color=INK, transform=axes.transAxes)

    return "", paint


def _field(symmetry: Any, xi: NDArray, axes: Sequence[str] | None) -> Panel:
    """A generator as arrows over the data, which have the colour of the value of the field where there is one."""
    from erlangen.actions import behind

    base = behind(symmetry.candidates)
    x = symmetry.points[:: max(1, len(symmetry.points) // MOST_ARROWS)]
    speed = base.restrict(xi[: base.n_generators, None]).on_points(x)[:, 0]
    a, b = _pair(symmetry, speed, axes)
    lie = symmetry.lie
    values = lie.field.value(x)[:, 0] if symmetry.kind == "invariant" and lie is not None else None

    def paint(panel: Any) -> None:
        style = {"color": colour_of(0)} if values is None else {"c": values, "cmap": "viridis"}
        panel.scatter(x[:, a], x[:, b], s=9, alpha=0.75, linewidths=0, **style)
        still = np.zeros(len(x)) if b == a else speed[:, b]
        panel.quiver(x[:, a], x[:, b], speed[:, a], still, color=INK, width=0.004, angles="xy", zorder=3)
        panel.set_xlabel(text(symmetry.coordinates[a]), color=SOFT)
        panel.set_ylabel(text(symmetry.coordinates[b]), color=SOFT)
        panel.spines[["top", "right"]].set_visible(False)
        wide, high = np.ptp(x[:, a]), np.ptp(x[:, b])
        if max(wide, high) < 4 * min(wide, high):
            panel.set_aspect("equal", adjustable="datalim")

    return symmetry.describe(xi), paint


def _pair(symmetry: Any, speed: NDArray, axes: Sequence[str] | None) -> tuple[int, int]:
    """The two coordinates that are drawn: those that are named, or those that move most."""
    names = list(symmetry.coordinates)
    if axes is None:
        order = np.argsort(-np.mean((speed / symmetry.scales.points[: speed.shape[1]]) ** 2, axis=0), kind="stable")
        first, *rest = sorted(int(i) for i in order[:2])
        return first, rest[0] if rest else first
    missing = [name for name in axes if name not in names]
    if missing or len(axes) != 2:
        what, given = "These are not two coordinates.", f"axes = {list(axes)!r}"
        expected, fix = f"two of {', '.join(names)}", f"er.plot(sym, axes={names[:2]!r})"
        raise InputError(explain(what, given=given, expected=expected, fix=fix))
    return names.index(axes[0]), names.index(axes[1])


def _evidence(result: Any, data: Any, axes: Sequence[str] | None) -> list[Panel]:
    from erlangen.evidence import DefectMap
    from erlangen.reports._evidence_figures import bounds_figure, map_figure, path_figure

    if isinstance(result, DefectMap):
        return [plain(result.sentences[k], map_figure(result, k)) for k in range(len(result.texts))][:MOST_PANELS]
    panels = [plain("Dimension as a function of delta", path_figure(result))]
    return panels + ([plain("Bounds of the true defects", bounds_figure(result))] if result.bounds else [])


def _conserved(result: Any, data: Any, axes: Sequence[str] | None) -> list[Panel]:
    from erlangen.reports._conserved_figures import over_time_figure, spectrum_figure

    panels = [plain("Spectrum", spectrum_figure(result))] if len(result.spectrum) else []
    if data is not None and result.laws:
        shown = stacked(over_time_figure(result.laws, data))
        panels += [(law.text, paint) for law, (_, paint) in zip(result.laws, shown)]
    return panels


def _dynamics(result: Any, data: Any, axes: Sequence[str] | None) -> list[Panel]:
    from erlangen.dynamics import smooth
    from erlangen.reports._evidence import chosen, shown
    from erlangen.reports._figures import rollout_figure
    from erlangen.reports.dynamics import equations_of

    equations = equations_of(result, data)
    if data is None:
        return [_coefficients(equations, a) for a in range(len(equations.names))][:MOST_PANELS]
    smoothed = smooth(data)
    runs = [shown(equations, data.runs[k], smoothed.runs[k], None) for k in chosen(smoothed)]
    return stacked(rollout_figure(runs, equations.names, "time"))


def _coefficients(equations: Any, a: int) -> Panel:
    """Coefficients of one equation with two standard errors."""
    from erlangen.dynamics._equation_terms import printed

    at = np.flatnonzero(equations.coefficients[a])
    errors = None if equations.errors is None else 2 * equations.errors[a, at]
    terms = [printed(Formula(equations.terms[j], equations.variables)) or "1" for j in at]

    def paint(axes: Any) -> None:
        height = np.arange(len(at))[::-1]
        finite = None if errors is None else np.where(np.isfinite(errors), errors, 0.0)
        axes.errorbar(equations.coefficients[a, at], height, xerr=finite, fmt="o", color=colour_of(0), markersize=4)
        axes.set_yticks(height, [text(term) for term in terms])
        axes.axvline(0, color=EDGE, linewidth=1)
        axes.set_ylim(-0.6, len(at) - 0.4)
        axes.set_xlabel("coefficient", color=SOFT)
        axes.spines[["top", "right"]].set_visible(False)

    return f"{equations.names[a]}\u2032", paint


def _enforced(result: Any, data: Any, axes: Sequence[str] | None) -> list[Panel]:
    title = f"{result.dim} of {result.ambient_dim} dimensions"
    return [image(title, np.asarray(result.sparse_basis(), dtype=np.float64), "parameter", "basis element")]


def _promoted(result: Any, data: Any, axes: Sequence[str] | None) -> list[Panel]:
    from erlangen.reports.promoted import fit_of

    fit, selected = fit_of(result)
    values = fit.singular_values
    kept = np.arange(len(values)) >= (fit if selected is None else selected).broken_rank
    words = ("kept", "broken")
    panels = [stems("What is broken", values, kept, ("direction", "singular value"), words)]
    if selected is not None and len(selected.lams):
        panels.append(_errors(selected))
    return panels


def _errors(selected: Any) -> Panel:
    def paint(axes: Any) -> None:
        axes.plot(selected.lams, np.sqrt(selected.errors), "o-", color=colour_of(0), markersize=3, linewidth=1.2)
        axes.axvline(selected.lam, color=INK, linestyle=":", linewidth=1.2)
        positive = selected.lams[selected.lams > 0]
        if len(positive) > 1:
            axes.set_xscale("log")
        axes.set_xlabel("weight of the penalty", color=SOFT)
        axes.set_ylabel("cross-validated error", color=SOFT)
        axes.grid(True, color=EDGE, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)

    return "Error and weight", paint


_PANELS: dict[str, Callable[[Any, Any, Sequence[str] | None], list[Panel]]] = {
    "symmetry": _symmetry,
    "evidence": _evidence,
    "conserved": _conserved,
    "dynamics": _dynamics,
    "enforced": _enforced,
    "promoted": _promoted,
}
"""What draws each kind of result, by the module that tells its story."""
