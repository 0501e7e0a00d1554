"""Functions of singular values with a gradient that is finite everywhere: at repeated values, at zero, at A = 0."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.autograd.function import once_differentiable

Rate = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""Singular values to the terms of a sum and to their derivatives."""

SHARE = 0.1
"""Relative defect from which on the reweighted form hardly charges more: half of the price is paid at 0.23."""


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


def spectrum(a: torch.Tensor, form: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Singular values ``(k,)`` of ``A B^(-1/2)``, descending, and directions W ``(r, k)`` with W^T B W = 1.

    Tall matrices are reduced to their Gram matrix in float64: of one column block of A, a value below the root of
    rounding times the largest counts as zero. Others take one thin SVD.
    """
    a, factor = a.double(), None
    if form is not None:
        factor = torch.linalg.cholesky(_lifted(form.double(), torch.finfo(form.dtype).eps))
    if len(a) <= a.shape[1]:
        flat = a if factor is None else torch.linalg.solve_triangular(factor, a.T, upper=False).T
        _, s, vt = torch.linalg.svd(flat, full_matrices=False)
        v = vt.T
    else:
        gram = a.T @ a
        if factor is not None:
            half = torch.linalg.solve_triangular(factor, gram, upper=False)
            gram = torch.linalg.solve_triangular(factor, half.T, upper=False)
        squares, v = torch.linalg.eigh(gram)
        s, v = squares.flip(0).clamp(min=0.0).sqrt(), v.flip(1)
    w = v if factor is None else torch.linalg.solve_triangular(factor.T, v, upper=True)
    return s, w


def _lifted(form: torch.Tensor, eps: float) -> torch.Tensor:
    """The form plus its own rounding: directions about which the function says nothing get a size."""
    size = form.diagonal().mean()
    least = torch.finfo(torch.float64).tiny ** 0.5
    return form + (len(form) * eps * size).clamp(min=least) * torch.eye(len(form), dtype=form.dtype, device=form.device)


class _SpectralSum(torch.autograd.Function):
    """Sum of h(s) over the singular values s of A B^(-1/2), with the gradient h'(s) ds.

    For a left vector u and w = B^(-1/2) v, ds = u^T dA w - s (w^T dB w) / 2. Vectors of repeated values are a choice, but each term is a function of the
    whole eigenspace. Values of zero take no part in U: that is the subgradient of least norm.
    """

    @staticmethod
    def forward(ctx: Any, a: torch.Tensor, form: torch.Tensor | None, rate: Rate) -> torch.Tensor:
        finite = a.isfinite().all() and (form is None or form.isfinite().all())
        if not finite:  # as any other loss: the optimiser sees it, and the line search steps back
            ctx.save_for_backward(
                torch.full_like(a, torch.nan), None if form is None else torch.full_like(form, torch.nan)
            )
            return a.new_tensor(torch.nan)
        s, w = spectrum(a.detach(), None if form is None else form.detach())
        cut = math.sqrt(a.shape[1] * torch.finfo(torch.float64).eps) * s.max()
        s = torch.where(s > cut, s, 0.0)
        terms, slopes = rate(s)
        shares = torch.where(s > 0, slopes / s.clamp(min=torch.finfo(s.dtype).tiny), 0.0)
        grad_a = (a.detach().double() @ ((w * shares) @ w.T)).to(a.dtype)
        grad_form = None if form is None else (-0.5 * (w * (slopes * s)) @ w.T).to(form.dtype)
        ctx.save_for_backward(grad_a, grad_form)
        return terms.sum().to(a.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None, None]:  # type: ignore[override]
        grad_a, grad_form = ctx.saved_tensors
        return weight * grad_a, None if grad_form is None else weight * grad_form, None


def length(values: torch.Tensor) -> torch.Tensor:
    """Euclidean norm of all entries, with gradient zero at zero."""
    squares = values.square().sum()
    positive = squares > 0
    return torch.where(positive, torch.where(positive, squares, 1.0).sqrt(), 0.0)
