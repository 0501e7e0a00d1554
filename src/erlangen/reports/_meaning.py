"""What the name of a Lie algebra means, in plain words: a table of families, and facts from the structure."""

from __future__ import annotations

import re
from collections.abc import Callable

from erlangen.algebra import Structure

FAMILIES: tuple[tuple[str, str, str | None], ...] = (
    (r"0", "Nothing moves: there is no continuous symmetry.", None),
    (r"R", "One flow: a single continuous transformation and its repetitions, such as a shift, a scaling or a phase.",
     None),
    (r"R\^(\d+)", "{0} flows that commute: the order in which they act does not matter, as with shifts along different "
     "axes, or scalings of different coordinates.", None),
    (r"so\(2\)", "Rotations of a plane: one angle, and a whole turn leads back to the start.", None),
    (r"so\(3\)", "Rotations of three-dimensional space: about any axis, by any angle.", "Lengths and angles stay; no "
     "direction is special. The same algebra is called su(2) where spins turn."),
    (r"so\((\d+)\)", "Rotations of {0}-dimensional space.", "Lengths and angles stay, and no direction is special."),
    (r"so\(3,1\)|so\(1,3\)|sl\(2,C\)", "The Lorentz transformations of special relativity: rotations of space, and "
     "boosts from one moving observer to another.", "The interval x^2 + y^2 + z^2 - t^2 stays."),
    (r"sl\(2,R\)|so\(2,1\)", "Area-preserving linear maps of a plane, or, what is the same algebra, Lorentz "
     "transformations of two space dimensions and one of time.", ""),
    (r"so\((\d+),(\d+)\)", "Pseudo-rotations: linear maps that preserve a quadratic form with {0} plus and {1} minus "
     "signs; rotations among coordinates of one sign, boosts between the two.", ""),
    (r"e\((\d+)\)", "Rigid motions of {0}-dimensional space: rotations and translations.", "Distances stay; neither a "
     "place nor a direction is special."),
    (r"iso\(3,1\)|iso\(1,3\)|poincare", "Lorentz transformations, and shifts of space and time: the Poincare algebra.",
     ""),
    (r"iso\((\d+),(\d+)\)|e\((\d+),(\d+)\)", "Motions of flat space-time: pseudo-rotations and translations.", ""),
    (r"sim\((\d+)\)", "Similarities of {0}-dimensional space: rigid motions and scaling.",
     "Shapes stay; sizes do not."),
    (r"weyl\((\d+),(\d+)\)", "Motions of flat space-time, together with scaling.", ""),
    (r"co\((\d+)\)", "Rotations and scaling of {0}-dimensional space.", "Angles stay, sizes do not matter."),
    (r"gl\((\d+)(?:,[RC])?\)", "All linear maps of {0}-dimensional space.", "Only the origin and lines are special."),
    (r"sl\((\d+),R\)", "Linear maps of {0}-dimensional space that preserve volume.", ""),
    (r"sl\((\d+),C\)", "Complex linear maps of {0} coordinates with determinant one.", ""),
    (r"sp\((\d+),R\)", "Linear canonical transformations of {0}-dimensional phase space.", "Areas dp dq stay."),
    (r"sp\((\d+)\)", "Rotations of {0}-dimensional quaternionic space.", ""),
    (r"u\(1\)", "Phases: turning a complex number; the same as rotations of a plane.", ""),
    (r"u\((\d+)\)", "Unitary maps of {0} complex coordinates.", "Lengths stay, and so does multiplication by i."),
    (r"su\((\d+)\)", "Unitary maps of {0} complex coordinates with determinant one.", ""),
    (r"s?u\((\d+),(\d+)\)", "Pseudo-unitary maps: complex linear maps that preserve a Hermitian form with {0} plus and "
     "{1} minus signs.", ""),
    (r"aff\(1\)", "Translation and scaling of a line: the smallest algebra whose elements do not commute.", ""),
    (r"aff\((\d+)\)", "All affine maps of {0}-dimensional space.", "Only lines and ratios along them are special."),
    (r"saff\((\d+)\)", "Affine maps of {0}-dimensional space that preserve volume.", ""),
    (r"h\((\d+)\)", "A Heisenberg algebra, as of position and momentum: the brackets of its elements give one element "
     "that commutes with all.", None),
    (r"osc|osc\(1,1\)", "The oscillator algebra: a Heisenberg algebra, and one generator that turns its plane.", None),
    (r"sdil h\(3\).*", "A Heisenberg algebra, and one generator that scales it.", None),
    (r"V", "Translations of a plane, and the scaling of it alike in all directions (type V of Bianchi's list).",
     ""),
    (r"IV", "Translations of a plane, and one flow that scales and shears it at once (type IV of Bianchi's list).", ""),
    (r"VI_h.*", "Translations of a plane, and one flow that stretches it along two directions at different rates (type "
     "VI of Bianchi's list).", ""),
    (r"VII_h.*", "Translations of a plane, and one flow that turns and scales it at once (type VII of Bianchi's list).",
     ""),
    (r"R ⋉ R\^(\d+), weights (.*)", "{0} flows that commute, and one that mixes them, with eigenvalues {1}.", None),
    (r"g2.*|f4.*|e[678].*", "One of the exceptional simple algebras, outside the families of rotations, unitary and "
     "symplectic maps.", None),
)  # fmt: skip
"""Names as regular expressions, what they mean, and what stays under the maps they are named after: an algebra may act
otherwise. None where the words are true of the algebra however it acts. Groups of digits are filled in."""

LENGTHS = r"(so|e|sim|co)\(\d+\)"
"""Names of algebras of maps that keep lengths, or multiply all of them by one number."""


def meaning(name: str, structure: Structure | None = None) -> str:
    """Say in plain words what an algebra is: by its name, by the names of its summands, or by its structure.

    Parameters
    ----------
    name : str
        Canonical name, as `erlangen.identify` gives it.
    structure : Structure, optional
        What is behind the name; its aliases are tried, too, and where none is known its ideals are told.

    Examples
    --------
    >>> meaning("e(2)")[:43]
    'Rigid motions of 2-dimensional space: rotat'
    """
    return _told(name, structure, _family)


def same_algebra(name: str, structure: Structure | None = None) -> str:
    """Say what maps an algebra is named after, where it is not known whether it acts as they do.

    Examples
    --------
    >>> same_algebra("so(5)")
    'The same algebra as that of rotations of 5-dimensional space.'
    """
    return _told(name, structure, _relative)


def _told(name: str, structure: Structure | None, family: Callable[[str], str]) -> str:
    aliases = () if structure is None else structure.aliases
    for one in (name, *aliases):
        found = family(one)
        if found:
            return found
    parts = [family(part) for part in name.split("+")]
    if len(parts) > 1 and all(parts):
        pieces = name.split("+")
        told = " ".join(f"{piece}: {text}" for piece, text in dict(zip(pieces, parts, strict=True)).items())
        return f"{len(parts)} parts that do not disturb one another. {told}"
    return "" if structure is None else from_structure(structure)


def _family(name: str) -> str:
    words, stays = _entry(name)
    return " ".join(filter(None, (words, stays)))


def _relative(name: str) -> str:
    words, stays = _entry(name)
    if not words or stays is None:
        return words
    return f"The same algebra as that of {words[:1].lower()}{words[1:]}"


def _entry(name: str) -> tuple[str, str | None]:
    for pattern, words, stays in FAMILIES:
        found = re.fullmatch(pattern, name)
        if found:
            return words.format(*(group for group in found.groups() if group is not None)), stays
    return "", None


def from_structure(structure: Structure) -> str:
    """What can be said of any algebra from its ideals."""
    if structure.radical_dim < 0:
        return f"An algebra of dimension {structure.dim}, too large to be taken apart."
    if not structure.levi:
        size = f"algebra of dimension {structure.dim}"
        if structure.nilradical_dim == structure.dim:
            text = f"A nilpotent {size}: brackets with its elements, taken again and again, end at nothing."
        else:
            text = f"A solvable {size}: its brackets span a smaller one, their brackets a smaller, to nothing."
    elif structure.radical_dim == 0:
        text = f"A semisimple algebra: {' + '.join(structure.levi)}, and nothing that commutes with all."
    else:
        text = (
            f"The semisimple part {' + '.join(structure.levi)} acts on a solvable part of dimension "
            f"{structure.radical_dim}."
        )
    return f"{text} {structure.centre_dim} of its directions commute with everything." if structure.centre_dim else text


def facts(structure: Structure) -> list[tuple[str, str]]:
    """Name and value of what any basis of the algebra agrees on."""
    plus, minus = structure.killing_signature
    rows = [
        ("also called", ", ".join(structure.aliases)),
        ("dimension", str(structure.dim)),
        ("semisimple part", " + ".join(structure.levi) or "none"),
        ("radical", _dimension(structure.radical_dim)),
        ("centre", _dimension(structure.centre_dim)),
        ("Killing form", f"{plus} positive, {minus} negative directions"),
        ("derived series", ", ".join(str(d) for d in structure.derived_series)),
        ("named because", structure.reason),
        ("repaired", structure.repair or ""),
    ]
    return [(name, text) for name, text in rows if text]


def _dimension(value: int) -> str:
    return "" if value < 0 else "none" if value == 0 else f"dimension {value}"
