"""Whether matrices lie in a group, as far as its generators tell."""

from __future__ import annotations

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.algebra._elements import as_permutations, permutations_contain
from erlangen.algebra.group import Group, check_group
from erlangen.linalg.null import streamed_null_space
from erlangen.linalg.qr import rounding

_LISTED = 2_000  # finite groups up to this order are searched element by element
_FORMS_UP_TO = 20  # matrix size up to which preserved forms are computed: k^2 unknowns


def check_subgroup(subgroup: Group, group: Group) -> None:
    """Raise an error that names the first generator that is not in the group."""
    check_group(subgroup, "Restricting a representation")
    if subgroup.size != group.size:
        given = f"{subgroup.name} of matrices of size {subgroup.size}, and {group.name} of size {group.size}"
        room = group.size - subgroup.size
        fix = f"{subgroup.name} * groups.trivial({room})" if room > 0 else "matrices of the size of the larger group"
        raise _no_subgroup(subgroup, group, given, fix)
    reason = outsider(subgroup, group)
    if reason:
        raise _no_subgroup(subgroup, group, reason)


def outsider(subgroup: Group, group: Group) -> str | None:
    """Say which generator of a subgroup is not in a group, None where none can be seen to be outside.

    Generators of the Lie algebra are compared with the span of the closed algebra, permutations with
    the group that the permutations generate, elements of another finite group with its list (up to
    order 2,000). Other elements must satisfy what all elements of the group do: carry its Lie algebra
    to itself, preserve the bilinear forms that it preserves (up to size 20), and have a determinant
    that it allows. This is decisive for O(p, q), SO(n), Sp, SL, GL and U; it tells neither the
    components of SO(p, q) apart, nor phases in U(n) from elements of SU(n).
    """
    basis = group.closure().basis.reshape(-1, group.size**2)
    outside = _outside(subgroup.lie_algebra.reshape(-1, group.size**2), basis)
    if outside is not None:
        return f"generator {outside} of {subgroup.name} is not in the Lie algebra of {group.name}"
    missing = _missing(subgroup.discrete, group)
    if missing is None:
        reasons = ((m, _broken(g, group, basis)) for m, g in enumerate(subgroup.discrete))
        missing, why = next(((m, why) for m, why in reasons if why), (-1, ""))
    else:
        why = f"is not in {group.name}"
    return f"discrete element {missing} of {subgroup.name} {why}" if missing >= 0 else None


def _missing(elements: NDArray, group: Group) -> int | None:
    """First of the elements that a finite group does not have, -1 where all are there, None if it cannot be listed."""
    if group.permutations is not None:
        rows = as_permutations(elements)
        inside = [False] * len(elements) if rows is None else permutations_contain(group.permutations, rows)
    elif group.is_finite:
        try:
            listed = group.elements(_LISTED)
        except InputError:
            return None
        inside = [listed.index(g) is not None for g in elements]
    else:
        return None
    return next((m for m, there in enumerate(inside) if not there), -1)


def _broken(g: NDArray, group: Group, basis: NDArray) -> str | None:
    k = group.size
    conjugated = (g @ basis.reshape(-1, k, k) @ np.linalg.inv(g)).reshape(-1, k * k)
    if _outside(conjugated, basis) is not None:
        return f"does not carry the Lie algebra of {group.name} to itself"
    for form in _preserved_forms(group):
        defect = np.linalg.norm(g.T @ form @ g - form)
        if defect > _tolerance(k) * max(1.0, np.linalg.norm(g, 2) ** 2):
            return f"does not preserve a bilinear form that {group.name} preserves"
    return None if _allowed_determinant(g, group) else f"has a determinant that {group.name} does not have"


def _preserved_forms(group: Group) -> NDArray:
    """Orthonormal basis ``(f, k, k)`` of the B with A^T B + B A = 0 and h^T B h = B."""
    k = group.size
    one = np.eye(k)
    if k > _FORMS_UP_TO:
        return np.zeros((0, k, k))
    blocks = [np.kron(a.T, one) + np.kron(one, a.T) for a in group.lie_algebra]
    blocks += [np.kron(h.T, h.T) - np.eye(k * k) for h in group.discrete]
    return streamed_null_space(blocks, k * k, _tolerance(k)).basis.T.reshape(-1, k, k)


def _allowed_determinant(g: NDArray, group: Group) -> bool:
    """Whether some element of the group may have this determinant, by sign and, where all have it, by size 1."""
    d, known, tolerance = np.linalg.det(g), np.linalg.det(group.discrete), _tolerance(group.size)
    traceless = np.abs(np.trace(group.lie_algebra, axis1=1, axis2=2)).max(initial=0.0) <= tolerance
    unimodular = traceless and np.abs(np.abs(known) - 1).max(initial=0.0) <= tolerance
    if d < 0 and (known > 0).all():
        return False
    return not unimodular or abs(abs(d) - 1) <= tolerance * max(1.0, abs(d))


def _outside(rows: NDArray, basis: NDArray) -> int | None:
    rest = np.linalg.norm(rows - (rows @ basis.T) @ basis, axis=1)
    outside = rest > _tolerance(basis.shape[1]) * np.maximum(np.linalg.norm(rows, axis=1), 1.0)
    return int(outside.argmax()) if outside.any() else None


def _tolerance(k: int) -> float:
    # Half of the digits: generators found in data or typed with few digits are told from others.
    return float(np.sqrt(rounding((k * k, k * k))))


def _no_subgroup(
    subgroup: Group, group: Group, given: str, fix: str = 'rep("V", groups.O(3)).restrict(groups.SO(3))'
) -> InputError:
    return InputError(
        explain(
            f"{subgroup.name} is not a subgroup of {group.name}.",
            given=given,
            expected=f"matrices of size {group.size} that all lie in {group.name}",
            fix=fix,
        )
    )
