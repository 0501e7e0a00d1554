"""How the noise of samples grows with them: a constant part and a share of the value, from residuals alone."""

from __future__ import annotations

import numpy as np

from erlangen._typing import NDArray

SHARES = np.logspace(-6, 6, 97)
"""Constant variances tried, in units of the mean of the part that grows with the value; four to each power of two."""


def variances(residual: NDArray, squares: NDArray, mixed: bool) -> NDArray | None:
    """Variances ``(n,)`` of noise, of mean one, where they grow with the squares of the values; None where not.

    Each is ``a^2 + b^2 x^2``; where `mixed` the most likely mixture, kept where it is more likely than a constant
    even after one more parameter has been paid for (Schwarz's criterion), else ``b^2 x^2`` alone.

    Parameters
    ----------
    residual : ndarray (n,)
        Samples less what smoothing makes of them.
    squares : ndarray (n,)
        Expected squares of the values: squares of the smoothed ones and their variances.
    mixed : bool
        Whether there may be a constant part.
    """
    relative = squares / np.mean(squares)
    if not mixed:
        return relative
    scores = [_score(residual, relative + share) for share in SHARES]
    best = int(np.argmin(scores))
    if scores[best] + np.log(len(residual)) >= _score(residual, np.ones(len(residual))):
        return None
    out = relative + SHARES[best]
    return out / np.mean(out)


def _score(residual: NDArray, v: NDArray) -> float:
    """Minus twice the logarithm of the likelihood, the scale of the noise profiled out."""
    spread = np.mean(residual**2 / v)
    return float(len(residual) * np.log(np.maximum(spread, np.finfo(np.float64).tiny)) + np.sum(np.log(v)))


def share(v: NDArray, squares: NDArray) -> float:
    """The part b of standard deviations ``sqrt(a^2 + b^2 x^2)``, from variances and squares of the values."""
    centred = squares - np.mean(squares)
    return float(np.sqrt(max(np.dot(centred, v) / np.dot(centred, centred), 0.0)))
