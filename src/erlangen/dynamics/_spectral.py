"""Smoothing by leaving out the high frequencies of evenly sampled data."""

from __future__ import annotations

import numpy as np
from scipy.fft import dct, dst, idct

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray

KEPT = 3
"""Quarters of the frequencies among which the end of the signal is sought."""


def check_even(t: NDArray, title: str) -> None:
    """Refuse times whose steps differ by more than their rounding."""
    steps = np.diff(t)
    rounding = 8 * np.finfo(np.float64).eps * np.abs(t).max()
    spread = float(np.ptp(steps))
    # Times that were printed with six digits are even for this purpose: a step is wrong by far less than itself.
    if spread > rounding + 1e-4 * float(np.mean(steps)):
        raise InputError(
            explain(
                f"The spectral method needs even steps, and those of {title} are not.",
                given=f"steps from {steps.min():.6g} to {steps.max():.6g}",
                expected="equal steps",
                fix='method="gp", which takes any times',
            )
        )


def spectral(t: NDArray, x: NDArray) -> tuple[NDArray, NDArray, float, float, int]:
    """States, derivatives, noise, standard error of the derivatives inside, and the number of frequencies kept.

    A parabola is taken out, so that slopes at both ends are alike and near zero; the rest is continued evenly, and
    its cosine series is cut where generalised cross-validation puts the end of the signal, among the first
    three quarters of the frequencies: the rest tells the noise, and a few small values at the very end are chance.

    Parameters
    ----------
    t : ndarray (n,)
        Even times.
    x : ndarray (n,)
        Samples of one coordinate.
    """
    n = len(t)
    step = (t[-1] - t[0]) / (n - 1)
    u = np.linspace(-1.0, 1.0, n)
    trend = np.polynomial.Polynomial(_trend(u, x))
    c = dct(x - trend(u), norm="ortho")
    left = np.concatenate([np.cumsum(c[::-1] ** 2)[::-1], [0.0]])  # energy from each frequency on
    used = np.arange(3, max(KEPT * n // 4, 3) + 1)
    kept = int(used[np.argmin(left[used] / (n - used) ** 2)])
    noise = float(np.sqrt(left[kept] / (n - kept)))
    c[kept:] = 0.0
    frequency = np.pi * np.arange(n) / (n * step)
    states = idct(c, norm="ortho") + trend(u)
    # d/dt of cosines: sines, whose first frequency is that of the second cosine
    slopes = np.append(-(c * frequency)[1:], 0.0)
    derivatives = _sines(slopes) + trend.deriv()(u) * 2.0 / (t[-1] - t[0])
    error = noise * float(np.sqrt(np.sum(frequency[:kept] ** 2) / n))
    return states, derivatives, noise, error, kept


def _sines(c: NDArray) -> NDArray:
    """Sum of sines at the samples, in the normalisation of the cosines."""
    n = len(c)
    out = dst(c, type=3, norm=None) / 2.0  # sum c_k sin(pi (k + 1)(2 i + 1) / 2n), and half of the last
    return out * np.sqrt(2.0 / n)


def _trend(u: NDArray, x: NDArray) -> NDArray:
    """Parabola with the slopes of the data at both ends, by least squares over a tenth of them there."""
    few = max(4, len(u) // 10)
    first = np.polynomial.polynomial.polyfit(u[:few] + 1.0, x[:few], 2)[1]
    last = np.polynomial.polynomial.polyfit(u[-few:] - 1.0, x[-few:], 2)[1]
    return np.array([0.0, (first + last) / 2.0, (last - first) / 4.0])
