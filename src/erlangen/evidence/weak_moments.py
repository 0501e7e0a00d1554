"""Certificates that trust no class of models: cross-fitted weak moments.

The defect L_xi F of the unknown field is seen through J test fields. Integration by parts turns each of the J numbers
into a mean over noisy values; a model fitted to the other folds takes out what it explains, and its errors cancel.
Whatever the model (a polynomial, a network, a Gaussian process), the numbers are unbiased where the density of the
states is known.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, affine
from erlangen.algebra import Group
from erlangen.derivative import Samples
from erlangen.derivative.measures import AbstractMeasure
from erlangen.evidence._arguments import as_action, check_space, generator_of
from erlangen.evidence._density import design_of
from erlangen.evidence._weak_choice import chosen_generators
from erlangen.evidence._weak_task import Weak
from erlangen.evidence.certificate import Certificate
from erlangen.evidence.observed import observed
from erlangen.verbs import Symmetry
from erlangen.verbs._measure import coefficients_of

CHOOSING = 0.3
"""Share of the rows that choose generators, where none are named: they test nothing."""


def class_free(
    problem: Any,
    action: AbstractAction | Group | None = None,
    samples: Samples | NDArray | None = None,
    *,
    model: Any = None,
    generators: AbstractAction | ArrayLike | None = None,
    alpha: float = 0.05,
    delta: float = 0.05,
    design: AbstractMeasure | Callable[[NDArray], NDArray] | str | None = None,
    degree: int | None = None,
    folds: int = 5,
    kind: str | None = None,
    groups: ArrayLike | None = None,
    rng: int | np.random.Generator = 0,
) -> Certificate:
    """Certify symmetries of the field behind observations, with any model and no class assumed.

    Parameters
    ----------
    problem : tuple (x, y), Observed or Trajectories
        Observations; the rows themselves, so that no row both chooses and tests.
    action : AbstractAction or Group, optional
        Candidate generators; all affine fields by default.
    samples : Samples or ndarray (n, d), optional
        The region: a box or a Gaussian. Without one, it is the law of the observed states.
    model : None, int, estimator or callable
        What is fitted to the other folds: None for a polynomial whose degree is chosen by leave-one-out errors, an
        int for its degree, a scikit-learn estimator not yet fitted, or a function ``(x, y) -> model`` such as
        `network` and `boosted` make, which returns anything that ``as_field`` accepts.
    generators : AbstractAction or array (r, p), optional
        Generators named before the data were seen, each tested at ``alpha / r``. Without them, a part of the rows
        chooses and the other rows test.
    alpha, delta : float
        Error probability, and relative defect up to which a generator counts as a symmetry.
    design : AbstractMeasure, callable, "estimated" or None
        Measure or normalised density that the states were drawn from. None: that of the region, where the moments of
        the points do not speak against it, else estimated.
    degree : int, optional
        Degree of the test functions; 4 in two coordinates, 3 in three.
    folds : int
        Number of folds, and of fits.
    kind : {"invariant", "vector"}, optional
        How values follow points; must be said where c = d.
    groups : array (n,), optional
        Rows that depend on each other share a label.
    rng : int or numpy.random.Generator
        How rows are dealt to folds.

    Returns
    -------
    Certificate
        Mode ``"class-free"``: bounds hold for the defect as the test fields see it, which the certificate says.

    Raises
    ------
    InputError
        Where the problem is a fitted model or the generators were found on data, so that rows would be used twice.
    UndecidedError
        Where the points do not fill a region.

    References
    ----------
    Chernozhukov et al., "Double/debiased machine learning", Econometrics Journal 21 (2018); moments by integration
    by parts: Messenger and Bortz, "Weak SINDy", Multiscale Modeling and Simulation 19 (2021).

    Examples
    --------
    >>> from erlangen.actions import rotation
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-1, 1, (2000, 2))
    >>> y = np.exp(-(x**2).sum(axis=1)) + 0.02 * rng.normal(size=2000)
    >>> found = class_free((x, y), rotation(2), Samples.box(-1, 1, dim=2), generators=rotation(2))
    >>> found.dim
    1
    """
    start, rng = time.perf_counter(), generator_of(rng)
    data = observed(problem, kind=kind, groups=groups)
    action = _candidates(as_action(action), generators, data.x.shape[1])
    check_space(data.x.shape[1], action, samples)
    region = _region(samples, data.x)
    if generators is None:
        first, rest = data.split(CHOOSING, rng)
        law = design_of(region, first.x, design)
        chosen = chosen_generators(first, action, region, model, law, delta, degree, rng)
    else:
        chosen, rest = _named(action, generators), data
    task = Weak(rest, action, chosen, region, model, alpha, delta, design, degree, folds, generators is not None)
    return replace(task.certificate(rng), seconds=time.perf_counter() - start)


def _candidates(action: AbstractAction | None, generators: AbstractAction | ArrayLike | None, d: int) -> AbstractAction:
    if isinstance(action, Symmetry) or isinstance(generators, Symmetry):
        raise InputError(
            explain(
                "A symmetry that was found in data cannot be tested on them.",
                given="a Symmetry",
                expected="candidates, of which a part of the rows chooses; or generators named beforehand",
                fix="er.evidence.class_free((x, y), er.actions.affine(d), samples)",
            )
        )
    if action is not None:
        return action
    return generators if isinstance(generators, AbstractAction) else affine(d)


def _region(samples: Samples | NDArray | None, x: NDArray) -> AbstractMeasure | None:
    if samples is None:
        return None
    if isinstance(samples, Samples) and samples.measure is not None:
        return samples.measure
    points = samples.points if isinstance(samples, Samples) else np.asarray(samples, dtype=np.float64)
    if points.shape == x.shape and np.array_equal(points, x):
        return None
    raise InputError(
        explain(
            "A region of points has no density to integrate by parts with.",
            given=f"{len(points)} points that are not those of the observations",
            expected="a box, a Gaussian, or the observed states themselves",
            fix="samples=er.Samples.box(low, high), or no samples",
        )
    )


def _named(action: AbstractAction, generators: AbstractAction | ArrayLike) -> NDArray:
    """Coefficients ``(r, p)`` of generators that were named."""
    if generators is action:
        return np.eye(action.n_generators)
    if isinstance(generators, AbstractAction):
        unit = np.eye(generators.n_generators)
        return np.array([coefficients_of(action, generators.restrict(e[:, None])) for e in unit])
    return np.array([coefficients_of(action, xi) for xi in np.atleast_2d(np.asarray(generators, dtype=np.float64))])
