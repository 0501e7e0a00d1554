"""The rival: pysindy, as it comes and tuned.

*As it comes*: finite differences and thresholding at 0.1. *Tuned*: thresholds, of coefficients or of scaled ones, times
ways to differentiate (also the weak form, where runs are long), and of this grid the best for the data at hand, judged
by the truth: better than any user could choose.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erlangen._formula import Formula
from erlangen.fields import Trajectories
from erlangen.systems._rates import Rate, rate

THRESHOLDS = (0.005, 0.02, 0.05, 0.1, 0.2, 0.5)
WINDOWS = (5, 11, 25)
AVAILABLE = importlib.util.find_spec("pysindy") is not None


def functions(texts: Sequence[str], names: Sequence[str]) -> Any:
    """A library of pysindy that has these functions."""
    import pysindy

    class Given(pysindy.feature_library.base.BaseFeatureLibrary):
        """Functions of text; pysindy clones libraries, so the arguments are kept as they came."""

        def __init__(self, texts: tuple[str, ...], names: tuple[str, ...]) -> None:
            self.texts, self.names = texts, names

        def fit(self, x: Any, y: Any = None) -> Any:
            first = x[0] if isinstance(x, (list, tuple)) else x
            self.n_features_in_, self.n_output_features_ = first.shape[-1], len(self.texts)
            return self

        def transform(self, x: Any) -> Any:
            listed = isinstance(x, (list, tuple))
            out = [type(one)(self.values(np.asarray(one)), one.axes) for one in (x if listed else [x])]
            return out if listed else out[0]

        def values(self, x: NDArray) -> NDArray:
            rates: list[Rate] = [rate(Formula((t or "1").replace("^", "**"), self.names)) for t in self.texts]
            columns = np.moveaxis(x, -1, 0)
            return np.stack([np.broadcast_to(one(columns), x.shape[:-1]) for one in rates], axis=-1)

        def get_feature_names(self, input_features: Any = None) -> list[str]:
            return list(self.texts)

    return Given(tuple(texts), tuple(names))


def as_it_comes(flow: Trajectories, texts: Sequence[str]) -> NDArray | None:
    """Coefficients ``(d, r)`` with the defaults; None where it fails."""
    import pysindy

    return _fit(flow, functions(texts, flow.names), pysindy.STLSQ(), pysindy.FiniteDifference())


def tuned(flow: Trajectories, texts: Sequence[str], weak: bool = False) -> Iterator[NDArray]:
    """Coefficients ``(d, r)`` over the grid."""
    import pysindy

    library = functions(texts, flow.names)
    for slopes in _slopes(flow, library, weak):
        for threshold in THRESHOLDS:
            for scaled in (False, True):
                found = _solve(pysindy.STLSQ(threshold=threshold, alpha=1e-6, normalize_columns=scaled), *slopes)
                if found is not None:
                    yield found


def _slopes(flow: Trajectories, library: Any, weak: bool) -> Iterator[tuple[NDArray, NDArray]]:
    """Functions and derivatives, once for each way to differentiate: thresholds share them."""
    import pysindy

    ways: list[Any] = [pysindy.FiniteDifference()]
    ways += [pysindy.SmoothedFiniteDifference(smoother_kws={"window_length": w}) for w in WINDOWS]
    for way in ways:
        parts = []
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            for run in flow.runs:
                try:
                    velocity = np.asarray(way._differentiate(np.asarray(run.states), np.asarray(run.time)))
                    states = np.asarray(getattr(way, "smoothed_x_", run.states))
                except (ValueError, np.linalg.LinAlgError):
                    continue
                parts.append((library.values(states), velocity))
        if parts:
            yield _compressed(parts)
    if weak:
        yield from _weak(flow, library)


def _weak(flow: Trajectories, library: Any) -> Iterator[tuple[NDArray, NDArray]]:
    """The weak form, with test functions over a tenth and over a fortieth of a run."""
    import pysindy

    for share in (20, 80):  # half widths
        parts = []
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            for run in flow.runs:
                t = np.asarray(run.time)
                state = np.random.get_state()  # noqa: NPY002 - pysindy places its domains by NumPy's global generator
                np.random.seed(0)  # noqa: NPY002
                form = pysindy.WeakPDELibrary(
                    function_library=library, spatiotemporal_grid=t, K=50, p=4, H_xt=[(t[-1] - t[0]) / share]
                )
                x = pysindy.AxesArray(np.asarray(run.states), {"ax_time": 0, "ax_coord": 1})
                velocity = np.asarray(form.convert_u_dot_integral(x))
                parts.append((np.asarray(form.fit([x]).transform([x])[0]), velocity))
                np.random.set_state(state)  # noqa: NPY002
        yield _compressed(parts)


def _compressed(parts: list[tuple[NDArray, NDArray]]) -> tuple[NDArray, NDArray]:
    """As many rows as unknowns with the same normal equations, which are all that an optimizer uses."""
    columns = parts[0][0].shape[1]
    rows = [np.concatenate(part, axis=1) for part in parts]
    rows = [np.linalg.qr(one[np.isfinite(one).all(axis=1)], mode="r") for one in rows]
    r = np.linalg.qr(np.concatenate(rows), mode="r")
    return r[:, :columns], r[:, columns:]


def _solve(optimizer: Any, functions_: NDArray, slopes: NDArray) -> NDArray | None:
    import sklearn

    quick = sklearn.config_context(skip_parameter_validation=True, assume_finite=True)
    with quick, warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            optimizer.fit(functions_, slopes)
        except (ValueError, np.linalg.LinAlgError):
            return None
    return np.array(optimizer.coef_, dtype=float)


def _fit(flow: Trajectories, library: Any, optimizer: Any, way: Any) -> NDArray | None:
    import pysindy

    model = pysindy.SINDy(optimizer=optimizer, feature_library=library, differentiation_method=way)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            model.fit([np.array(r.states) for r in flow.runs], t=[np.array(r.time) for r in flow.runs])
        except (ValueError, np.linalg.LinAlgError):
            return None
    return np.array(model.coefficients(), dtype=float)
