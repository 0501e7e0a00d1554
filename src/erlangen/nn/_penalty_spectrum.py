"""Functions of singular values with a gradient that is finite everywhere: at repeated values, at zero, at A = 0."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from erlangen._errors import InputError, explain

Rate = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""Singular values to the terms of a sum and to their derivatives."""

SHARE = 0.1
"""Relative defect from which on the reweighted form hardly charges more: half of the price is paid at 0.23."""


LOST = 10.0
"""Rounding of derivatives of a network, in units of that of its type: they lose a digit."""


def plain(s: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The sum of the values: the nuclear norm."""
    return s, torch.ones_like(s)


def reweighted(s: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """log(1 + s / e) / log(1 + 1 / e) with e = `SHARE`: 0 at 0, 1 at 1, concave between; a log-determinant."""
    price = math.log1p(1.0 / SHARE)
    return torch.log1p(s / SHARE) / price, 1.0 / ((s + SHARE) * price)


def spectral_sum(a: torch.Tensor, form: torch.Tensor | None, rate: Rate) -> torch.Tensor:
    """Sum of a function of the singular values of ``A B^(-1/2)``, for A ``(m, r)`` and B ``(r, r)`` or the identity."""
    if 0 in a.shape:
        return a.sum()
    return _SpectralSum.apply(a, form, rate)  # type: ignore[return-value]


def spectrum(a: torch.Tensor, form: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Singular values ``(k,)`` of ``A B^(-1/2)``, descending, and directions W ``(r, k)`` with W^T B W = 1.

    Tall matrices are reduced to their Gram matrix in float64, where values below the root of rounding times the
    largest are not told from zero; others take one thin SVD. None where something is not finite.
    """
    tall, a, factor = len(a) > a.shape[1], a.double(), None
    small = a.T @ a if tall else a
    if form is not None:
        form = _lifted(form)
    if not math.isfinite(float(small.sum() if form is None else small.sum() + form.sum())):
        return None
    if form is not None:
        factor = _factor(form)
        small = torch.linalg.solve_triangular(factor.T, small, upper=True, left=False)
    if tall:
        if factor is not None:
            small = torch.linalg.solve_triangular(factor, small, upper=False)
        squares, v = torch.linalg.eigh(small)
        s, v = squares.flip(0).clamp(min=0.0).sqrt(), v.flip(1)
    else:
        _, s, vt = torch.linalg.svd(small, full_matrices=False)
        v = vt.T
    return s, v if factor is None else torch.linalg.solve_triangular(factor.T, v, upper=True)


def _lifted(form: torch.Tensor) -> torch.Tensor:
    """The form in float64 plus its own rounding: directions about which the function says nothing get a size.

    Where it says nothing about any, they get the least size whose inverse square its type can still hold.
    """
    kind, lifted = torch.finfo(form.dtype), form.to(torch.float64, copy=True)
    diagonal = lifted.diagonal()
    diagonal += (kind.eps * diagonal.sum()).clamp(min=kind.tiny**0.5)
    return lifted


def _factor(form: torch.Tensor) -> torch.Tensor:
    """Cholesky factor L with L L^T = B; eigenvalues that rounding has made negative become as large as that error."""
    factor, failed = torch.linalg.cholesky_ex(form)
    if failed:
        values, vectors = torch.linalg.eigh(form)
        least = torch.maximum(values[0].abs(), torch.finfo(form.dtype).eps * values[-1])
        return torch.linalg.cholesky((vectors * values.clamp(min=least)) @ vectors.T)
    return factor


def priced(
    a: torch.Tensor, form: torch.Tensor | None, rate: Rate
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Sum of h(s) over the singular values s of A B^(-1/2), and its gradients with respect to A and B.

    For a left vector u and w = B^(-1/2) v, ds = u^T dA w - s (w^T dB w) / 2. Vectors of repeated values are a
    choice, but each term is a function of the whole eigenspace. Values of zero take no part in u: that is the
    subgradient of least norm. What is not finite stays so, as in any other loss: a line search then steps back.
    """
    found = spectrum(a, form)
    if found is None:
        lost = a.new_tensor(torch.nan)
        return lost, lost.expand_as(a), None if form is None else lost.expand_as(form)
    s, w = found
    s = torch.where(s > _least(a, form, s[0]), s, 0.0)
    terms, slopes = rate(s)
    shares = torch.where(s > 0, slopes / s.clamp(min=torch.finfo(s.dtype).tiny), 0.0)
    w, shares, relative = (part.to(a.dtype) for part in (w, shares, slopes * s))
    return terms.sum().to(a.dtype), a @ ((w * shares) @ w.T), None if form is None else (-0.5 * w * relative) @ w.T


def _least(a: torch.Tensor, form: torch.Tensor | None, largest: torch.Tensor) -> torch.Tensor:
    """Values up to which s is zero: rounding of a Gram matrix in float64, and that of derivatives in the type of A.

    Relative values are 1 for an unrelated direction, so their rounding is that of 1; others are seen beside the
    largest one. Without it, a generator that is kept pulls in the direction of its rounding, as hard as a broken one.
    """
    gram = math.sqrt(a.shape[1] * torch.finfo(torch.float64).eps) * largest
    one = largest if form is None else torch.ones_like(largest)
    return torch.maximum(gram, LOST * torch.finfo(a.dtype).eps * one)


class _Once(torch.autograd.Function):
    """A gradient that says, where it is differentiated again with respect to what it depends on, that it cannot be."""

    @staticmethod
    def forward(ctx: Any, gradient: torch.Tensor, *sources: torch.Tensor) -> torch.Tensor:
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx: Any, weight: torch.Tensor) -> Any:  # type: ignore[override]
        raise InputError(
            explain(
                "The gradient of this penalty was differentiated a second time.",
                given="a gradient taken with create_graph=True",
                expected="first derivatives: those of singular values are not continuous where values meet",
                fix='kind="frobenius", which has second derivatives; or optimisers that need gradients only',
            )
        )


def keep(ctx: Any, gradients: Sequence[torch.Tensor | None], sources: Sequence[torch.Tensor | None]) -> None:
    """Save gradients that were worked out in the forward pass, and what they depend on, for `once`."""
    ctx.save_for_backward(*gradients, *sources)
    ctx.count = len(gradients)


def once(ctx: Any, weight: torch.Tensor) -> list[torch.Tensor | None]:
    """Gradients that were kept, times the weight; they refuse to be differentiated.

    PyTorch's own ``once_differentiable`` refuses only where the weight is recorded, which that of a loss is not:
    then the part that comes from saved values would be left out in silence.
    """
    with torch.no_grad():
        found = [None if one is None else weight * one for one in ctx.saved_tensors[: ctx.count]]
    if not torch.is_grad_enabled():
        return found
    sources = [weight, *(one for one in ctx.saved_tensors[ctx.count :] if one is not None)]
    return [None if one is None else _Once.apply(one, *sources) for one in found]  # type: ignore[misc]


class _SpectralSum(torch.autograd.Function):
    """The sum of `priced`, with its gradients."""

    @staticmethod
    def forward(ctx: Any, a: torch.Tensor, form: torch.Tensor | None, rate: Rate) -> torch.Tensor:
        value, *gradients = priced(a, form, rate)
        keep(ctx, gradients, (a, form))
        return value

    @staticmethod
    def backward(ctx: Any, weight: torch.Tensor) -> Any:  # type: ignore[override]
        return *once(ctx, weight), None


def length(values: torch.Tensor) -> torch.Tensor:
    """Euclidean norm of all entries, with gradient zero at zero."""
    squares = values.square().sum()
    zero = squares == 0
    return torch.where(zero, 0.0, torch.where(zero, 1.0, squares).sqrt())
