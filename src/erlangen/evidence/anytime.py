"""Evidence that adds up: e-values of generators, over batches of data and over many named candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.evidence.bilinear import Bilinear, spectrum_of
from erlangen.evidence.ellipsoid import norm_lower
from erlangen.evidence.equivalence import RISK, EProcess, log_e_value
from erlangen.evidence.estimate import Estimate
from erlangen.evidence.multiplicity import discoveries
from erlangen.evidence.simultaneous import unseen


def generator_log_e(both: Bilinear, fit: Estimate, xi: ArrayLike, delta: float) -> float:
    """Logarithm of an e-value against "the true relative defect of this generator is above delta".

    Its mean is at most 1 where that is so; large values are evidence for the symmetry. The generator must have been
    named, or chosen on other data.

    Parameters
    ----------
    both : Bilinear
        Tensors of the family over p generators.
    fit : Estimate
        Estimate from the batch that testifies.
    xi : array_like (p,)
        The generator.
    delta : float
        Relative defect up to which it counts as a symmetry.

    Returns
    -------
    float
        The natural logarithm of the e-value.

    Raises
    ------
    InputError
        When the generator does not have one coefficient per candidate.

    References
    ----------
    Vovk and Wang, Annals of Statistics 49 (2021) 1736; Gruenwald, de Heide and Koolen, JRSS B 86 (2024) 1091.

    Examples
    --------
    >>> import erlangen as er
    >>> from erlangen.evidence.bilinear import bilinear
    >>> family = er.fields.polynomial_field(2, 2, np.zeros(6))
    >>> both = bilinear(family, er.actions.rotation(2), er.Samples.box(-1, 1, dim=2))
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-1, 1, (300, 2))
    >>> fit = er.evidence.estimate(family, x, (x**2).sum(axis=1) + 0.02 * rng.standard_normal(300))
    >>> generator_log_e(both, fit, [1.0], 0.05) > 3.0
    True
    """
    xi = np.asarray(xi, dtype=np.float64).ravel()
    if xi.shape != (both.n_generators,):
        raise InputError(
            explain(
                "The generator does not fit the candidates.",
                given=f"{xi.size} coefficients",
                expected=f"{both.n_generators}, one per candidate",
                fix="generator_log_e(both, fit, symmetry.generators[0], delta)",
            )
        )
    if unseen(both, xi[:, None], fit.null):
        return 0.0  # rows that do not see it say nothing, whatever their noise: an e-value of one
    lie, size = both.lie_of(xi), both.size_of(xi)
    least = norm_lower(size @ fit.theta, size @ fit.root, fit.radius(RISK))
    return log_e_value(lie @ fit.theta, lie @ fit.root, delta * least, dof=fit.dof, risk=RISK)


def over_batches(both: Bilinear, fits: Sequence[Estimate], delta: float, xi: ArrayLike | None = None) -> EProcess:
    """The process of evidence over batches of data in order, each with its own estimate.

    With ``xi`` the claim is about that generator. Without, each batch tests the generator of smallest defect in the
    mean of the batches before it, and the first only chooses: the claim is then that *some* candidate has a defect of
    at most delta, be it a trivial one. Look after every batch, and stop when you like.

    Parameters
    ----------
    both : Bilinear
        Tensors of the family over p generators.
    fits : sequence of Estimate
        One per batch, in order.
    delta : float
        Relative defect up to which a generator counts as a symmetry.
    xi : array_like (p,), optional
        A generator that was named beforehand.

    Returns
    -------
    EProcess
        The evidence after each batch.

    Raises
    ------
    InputError
        When the generator does not have one coefficient per candidate.

    References
    ----------
    Ville's inequality; Ramdas, Gruenwald, Vovk and Shafer, Statistical Science 38 (2023) 576.

    Examples
    --------
    >>> import erlangen as er
    >>> from erlangen.evidence import estimate
    >>> from erlangen.evidence.bilinear import bilinear
    >>> family = er.fields.polynomial_field(2, 2, np.zeros(6))
    >>> both = bilinear(family, er.actions.affine(2), er.Samples.box(-1, 1, dim=2))
    >>> rng, fits = np.random.default_rng(0), []
    >>> for _ in range(4):
    ...     x = rng.uniform(-1, 1, (300, 2))
    ...     fits.append(estimate(family, x, (x**2).sum(axis=1) + 0.02 * rng.standard_normal(300)))
    >>> over_batches(both, fits, 0.05).rejects(0.01)
    True
    """
    process = EProcess()
    for k, fit in enumerate(fits):
        chosen = _chosen(both, fits[:k]) if xi is None else np.asarray(xi, dtype=np.float64).ravel()
        if chosen is not None:
            process = process.update(generator_log_e(both, fit, chosen, delta))
    return process


def among_named(
    both: Bilinear, fit: Estimate, named: Mapping[str, ArrayLike], delta: float, alpha: float
) -> list[tuple[str, float]]:
    """Which of many named generators are symmetries up to delta, with a false discovery rate of at most alpha.

    The e-values share one estimate and depend on each other; e-BH allows that.

    Parameters
    ----------
    both : Bilinear
        Tensors of the family over p generators.
    fit : Estimate
        Estimate from the data that testify.
    named : mapping of str to array_like (p,)
        Generators, such as an atlas of known ones; named without looking at these data.
    delta : float
        Relative defect up to which a generator counts as a symmetry.
    alpha : float
        False discovery rate.

    Returns
    -------
    list of (str, float)
        Names and logarithms of e-values, the strongest first.

    References
    ----------
    Wang and Ramdas, JRSS B 84 (2022) 822.

    Examples
    --------
    >>> import erlangen as er
    >>> from erlangen.evidence.bilinear import bilinear
    >>> family = er.fields.polynomial_field(2, 2, np.zeros(6))
    >>> both = bilinear(family, er.actions.gl(2), er.Samples.box(-1, 1, dim=2))
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-1, 1, (300, 2))
    >>> fit = er.evidence.estimate(family, x, (x**2).sum(axis=1) + 0.02 * rng.standard_normal(300))
    >>> named = {"rotation": [0, -1, 1, 0], "boost": [0, 1, 1, 0]}
    >>> [name for name, _ in among_named(both, fit, named, 0.05, 0.05)]
    ['rotation']
    """
    evidence = {name: generator_log_e(both, fit, xi, delta) for name, xi in named.items()}
    return [(name, evidence[name]) for name in discoveries(evidence, alpha)]


def _chosen(both: Bilinear, past: Sequence[Estimate]) -> NDArray | None:
    if not past:
        return None
    found = spectrum_of(both, np.mean([fit.theta for fit in past], axis=0))
    return found.basis[:, 0] if len(found.values) else None
