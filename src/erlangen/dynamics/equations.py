"""Equations of motion as a value: printed, exported, differentiated, simulated, saved."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, MissingExtraError, explain
from erlangen._files import write_json
from erlangen._formula import Formula
from erlangen._render import _latex_name, _signed_sum, html_table, number, number_latex
from erlangen._shown import AbstractShown, cut
from erlangen._typing import NDArray
from erlangen.dynamics._equation_simulation import Simulation, as_control, check_times, simulated
from erlangen.dynamics._equation_terms import Terms, formula_text, held, printed, printed_latex
from erlangen.fields import AbstractField, AbstractLinearField, PolynomialField, Request, convert, register
from erlangen.fields.bases import BasisField, Joined, Monomials
from erlangen.fields.libraries import FormulaBasis

if TYPE_CHECKING:
    import torch

__all__ = ["Equations", "Simulation"]

FORMAT = "erlangen equations 1"
"""What a saved file says it is; a reader refuses versions that it does not know."""

# A coefficient of one over something is printed as the numerator; no other printed piece has a 1 there.
_OVER = re.compile(r"(?<=\d) 1(?=/)")
_OVER_LATEX = re.compile(r"([\d.]+)\\,\\frac\{1\}")


@dataclass(frozen=True, eq=False)
class Equations(AbstractShown):
    """Equations of motion x' = F(x, u), each a sum of named terms with coefficients.

    Parameters
    ----------
    names : tuple of str
        The d coordinates.
    controls : tuple of str
        The k controls u, given from outside; may be empty.
    terms : tuple of str
        The r functions as formulas in coordinates and controls, ``"x**2*y"``; the constant is ``"1"``.
        Printed forms, ``"x^2 y"``, are read too.
    coefficients : array (d, r)
        One row for each coordinate.
    errors : array (d, r), optional
        Standard errors of the coefficients, 0 where a coefficient is 0 and infinite where it is not determined.

    Raises
    ------
    InputError
        Where shapes do not fit, names repeat, a term is no formula, or a coefficient is not finite.

    Examples
    --------
    >>> spring = Equations.from_text({"x": "v", "v": "-x - 0.1*v"})
    >>> print(spring)
    x' = v
    v' = -x - 0.1 v
    >>> spring.value(np.array([[1.0, 2.0]]))
    array([[ 2. , -1.2]])
    >>> spring.simulate([1.0, 0.0], np.linspace(0, 10, 11))
    Simulation(11 states of 2 coordinates; complete)
    """

    names: tuple[str, ...]
    controls: tuple[str, ...]
    terms: tuple[str, ...]
    coefficients: NDArray
    errors: NDArray | None = None

    def __post_init__(self) -> None:
        names, controls = tuple(map(str, self.names)), tuple(map(str, self.controls))
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "controls", controls)
        if not names or len({*names, *controls}) != len(names) + len(controls):
            given = f"coordinates {', '.join(names) or 'none'}; controls {', '.join(controls) or 'none'}"
            what = "Coordinates and controls need names of their own."
            raise InputError(explain(what, given=given, expected="each name once", fix='names=("x", "y")'))
        object.__setattr__(self, "terms", tuple(formula_text(text, self.variables) for text in self.terms))
        if len(set(self.terms)) != len(self.terms):
            twice = sorted({text for text in self.terms if self.terms.count(text) > 1})
            what = "A term is given twice."
            raise InputError(
                explain(what, given=", ".join(twice), expected="each term once", fix="leave one of them out")
            )
        shape = (len(names), len(self.terms))
        object.__setattr__(self, "coefficients", _matrix("coefficients", self.coefficients, shape))
        if self.errors is not None:
            object.__setattr__(self, "errors", _matrix("errors", self.errors, shape, np.inf))
        _ = self._terms  # a term that is no formula is refused now

    @classmethod
    def from_text(cls, right: Mapping[str, str], controls: Sequence[str] = ()) -> Equations:
        """Read equations ``{coordinate: formula}``, and multiply sums out.

        Parameters
        ----------
        right : mapping of str to str
            Right-hand side of each coordinate, ``{"x": "y", "y": "mu*..."}`` with numbers for parameters.
        controls : sequence of str
            Names that are controls.

        Returns
        -------
        Equations
            The system.

        Raises
        ------
        InputError
            Where a text is no formula in coordinates and controls.
        """
        names, inputs = tuple(right), _several(controls)
        allowed = (*names, *inputs)
        parsed = {name: Formula(formula_text(text, allowed), allowed) for name, text in right.items()}
        return cls.from_sympy({name: formula.to_sympy() for name, formula in parsed.items()}, inputs)

    @classmethod
    def from_sympy(cls, right: Mapping[Any, Any], controls: Sequence[Any] = ()) -> Equations:
        """Read equations ``{coordinate: SymPy expression}``, and multiply sums out.

        Parameters
        ----------
        right : mapping of str or Symbol to Expr
            Right-hand side of each coordinate.
        controls : sequence of str or Symbol
            Symbols that are controls.

        Returns
        -------
        Equations
            The system.

        Examples
        --------
        >>> import sympy
        >>> x, y = sympy.symbols("x y")
        >>> print(Equations.from_sympy({x: y, y: -(x + y) * x}))
        x' = y
        y' = -x^2 - x y
        """
        from erlangen.dynamics._equation_sympy import collected

        names, inputs = tuple(str(name) for name in right), _several(controls)
        texts, coefficients = collected(list(right.values()), (*names, *inputs))
        return cls(names, inputs, texts, coefficients)

    @property
    def variables(self) -> tuple[str, ...]:
        """Coordinates, then controls."""
        return (*self.names, *self.controls)

    @cached_property
    def _terms(self) -> Terms:
        return Terms(tuple(Formula(text, self.variables) for text in self.terms))

    @cached_property
    def _found(self) -> tuple[NDArray, Terms]:
        """Terms that occur, with their coefficients: only these are evaluated."""
        used = np.flatnonzero(np.any(self.coefficients != 0, axis=0))
        return self.coefficients[:, used], Terms(tuple(self._terms.formulas[j] for j in used))

    @property
    def powers(self) -> tuple[tuple[int, ...] | None, ...]:
        """Exponents of the variables in each term; None where it is no monomial."""
        return self._terms.powers

    @property
    def n_terms(self) -> int:
        """Number of coefficients that are not zero."""
        return int(np.count_nonzero(self.coefficients))

    # --- values

    def value(self, x: ArrayLike, u: ArrayLike | None = None) -> NDArray:
        """Time derivatives ``(n, d)`` at states ``x (n, d)`` and controls ``u (n, k)``; NaN outside the domain.

        Parameters
        ----------
        x : array_like (n, d)
            States.
        u : array_like (n, k) or (k,), optional
            Controls, where there are any.

        Returns
        -------
        ndarray (n, d)
            Time derivatives, in units of the states per unit of time.

        Raises
        ------
        InputError
            When states or controls do not fit the equations.
        """
        coefficients, terms = self._found
        points = self._points(x, u)
        return _product(terms.values(points), coefficients)

    def jacobian(self, x: ArrayLike, u: ArrayLike | None = None) -> NDArray:
        """Jacobians ``(n, d, d)`` by the states.

        Parameters
        ----------
        x : array_like (n, d)
            States.
        u : array_like (n, k) or (k,), optional
            Controls, where there are any.

        Returns
        -------
        ndarray (n, d, d)
            Derivative of each time derivative by each state.

        Raises
        ------
        InputError
            When states or controls do not fit the equations.
        """
        coefficients, terms = self._found
        points = self._points(x, u)
        return np.einsum("ar,nrb->nab", coefficients, terms.gradients(points)[..., : len(self.names)])

    def _points(self, x: ArrayLike, u: ArrayLike | None) -> NDArray:
        states = np.asarray(x, dtype=np.float64)
        d, k = len(self.names), len(self.controls)
        if states.ndim != 2 or states.shape[1] != d:
            given, expected = f"an array of shape {states.shape}", f"(n, {d}): {', '.join(self.names)}"
            raise InputError(explain("These are no states.", given=given, expected=expected, fix="value(x[None])"))
        if (u is None) != (k == 0):
            given = "no controls" if u is None else "controls"
            expected = f"u of shape (n, {k}): {', '.join(self.controls)}" if k else "no controls"
            what = "States and controls do not fit the equations."
            raise InputError(explain(what, given=given, expected=expected, fix="value(x, u)" if k else "value(x)"))
        if u is None:
            return states
        inputs = np.atleast_2d(np.asarray(u, dtype=np.float64))
        if inputs.shape[1] != k or len(inputs) not in (1, len(states)):
            given, expected = f"an array of shape {inputs.shape}", f"({len(states)}, {k}): {', '.join(self.controls)}"
            raise InputError(explain("These are no controls.", given=given, expected=expected, fix="value(x, u)"))
        return np.hstack([states, np.broadcast_to(inputs, (len(states), k))])

    def simulate(
        self, x0: ArrayLike, t: ArrayLike, controls: Callable[[float], ArrayLike] | ArrayLike | None = None
    ) -> Simulation:
        """Follow the solution from ``x0 (d,)`` at the first of the times ``t (n,)``.

        A solution that ends early is no error: what there is of it is returned, with the reason.

        Parameters
        ----------
        x0 : array (d,)
            The state at the first time.
        t : array (n,)
            Increasing times.
        controls : callable or array, optional
            The controls as a function ``u(t)``, constant ``(k,)``, or samples ``(n, k)`` at the times, which are
            joined by straight lines.

        Returns
        -------
        Simulation
            Times and states, whether all were reached, and the reason where not.

        Raises
        ------
        InputError
            Where shapes do not fit or times do not increase.

        Examples
        --------
        >>> Equations.from_text({"x": "x**2"}).simulate([1.0], [0.0, 0.5, 2.0]).reason
        'the solution ends at t = 0.5 of 2: it grows without bound, or leaves the domain of the equations, near t = 1'
        """
        times = check_times(t)
        start = np.asarray(x0, dtype=np.float64).reshape(-1)
        if start.shape != (len(self.names),) or not np.isfinite(start).all():
            given, expected = f"an array of shape {np.shape(x0)}", f"({len(self.names)},), finite"
            raise InputError(explain("This is no initial state.", given=given, expected=expected, fix="x0=states[0]"))
        control = as_control(controls, self.controls, times)

        def at(t: float, z: NDArray) -> tuple[NDArray, NDArray | None]:
            return z[None], control(t)[None] if self.controls else None

        return simulated(lambda t, z: self.value(*at(t, z))[0], lambda t, z: self.jacobian(*at(t, z))[0], start, times)

    # --- exports

    def text(self, digits: int = 4) -> str:
        """The equations, one line for each coordinate.

        Parameters
        ----------
        digits : int
            Significant digits of coefficients.

        Returns
        -------
        str
            Lines such as ``x' = -y``.
        """
        shown = [printed(f, digits) for f in self._terms.formulas]
        rows = [
            _OVER.sub("", _signed_sum(zip(row.tolist(), shown, strict=True), lambda c: number(c, digits), " "))
            for row in self.coefficients
        ]
        return "\n".join(f"{name}' = {row}" for name, row in zip(self.names, rows, strict=True))

    def __str__(self) -> str:
        return self.text()

    def to_latex(self, digits: int = 4) -> str:
        r"""The equations for LaTeX, in an ``aligned`` block.

        Parameters
        ----------
        digits : int
            Significant digits of coefficients.

        Returns
        -------
        str
            Source for LaTeX.

        Examples
        --------
        >>> print(Equations.from_text({"x": "-0.5*x**2"}).to_latex())
        \begin{aligned}
        \dot{x} &= -0.5\,x^{2}
        \end{aligned}
        """
        shown = [printed_latex(f, digits) for f in self._terms.formulas]
        lines = []
        for name, row in zip(self.names, self.coefficients, strict=True):
            pairs = zip(row.tolist(), shown, strict=True)
            right = _signed_sum(pairs, lambda c: number_latex(c, digits), r"\,")
            lines.append(rf"\dot{{{_latex_name(name)}}} &= " + _OVER_LATEX.sub(r"\\frac{\1}", right))
        return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"

    def to_sympy(self) -> tuple[Any, ...]:
        """The d right-hand sides as SymPy expressions in real symbols, coefficients in full."""
        import sympy

        shown = [formula.to_sympy() for formula in self._terms.formulas]
        return tuple(
            sympy.Add(*(_exact(c) * term for c, term in zip(row.tolist(), shown, strict=True) if c))
            for row in self.coefficients
        )

    def to_numpy(self) -> Callable[[NDArray], NDArray]:
        """A function of states ``(n, d)``, followed by the columns of controls where there are any, to ``(n, d)``.

        Raises
        ------
        InputError
            When the function that is returned is given arrays of other shapes.
        """
        coefficients, terms = self._found
        width = len(self.variables)

        def right(z: NDArray) -> NDArray:
            points = np.asarray(z, dtype=np.float64)
            if points.ndim != 2 or points.shape[1] != width:
                given, expected = f"an array of shape {points.shape}", f"(n, {width}): {', '.join(self.variables)}"
                raise InputError(explain("These are no states.", given=given, expected=expected, fix="f(x[None])"))
            return _product(terms.values(points), coefficients)

        return right

    def to_torch(self) -> torch.nn.Module:
        """A module ``(x, u=None)`` to time derivatives, in float64; coefficients that are found are its parameters.

        Raises
        ------
        MissingExtraError
            When PyTorch is not installed.
        """
        try:
            import torch
        except ImportError:
            what, fix = "A module needs PyTorch.", 'pip install "erlangen[torch]"'
            raise MissingExtraError(explain(what, given="no torch", expected="torch", fix=fix)) from None
        from erlangen.dynamics._equation_torch import EquationsModule

        return EquationsModule(self._terms.formulas, torch.tensor(self.coefficients))

    def as_field(self, u: ArrayLike | None = None) -> AbstractLinearField:
        """The vector field of the equations, which every verb accepts; controls are held at ``u (k,)``.

        Parameters
        ----------
        u : array_like (k,), optional
            Controls, where there are any.

        Returns
        -------
        AbstractLinearField
            Of kind ``"vector"``, linear in the coefficients.

        Raises
        ------
        InputError
            When controls are missing, or there are none to be held.
        """
        coefficients, terms = self._found
        if (u is None) != (not self.controls):
            given = "no values" if u is None else "values of controls"
            expected = f"values for {', '.join(self.controls)}" if self.controls else "none: there are no controls"
            what = "Controls are held while symmetries of states are asked for."
            raise InputError(explain(what, given=given, expected=expected, fix="as_field(u=[...])"))
        formulas = terms.formulas
        if u is not None:
            fixed = dict(zip(self.controls, np.asarray(u, dtype=np.float64).reshape(-1).tolist(), strict=True))
            coefficients, formulas = _without_controls(coefficients, formulas, fixed, self.names)
        return _field(coefficients, Terms(formulas), len(self.names))

    # --- files and pages

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        errors = None if self.errors is None else self.errors.tolist()
        return {
            "format": FORMAT,
            "names": list(self.names),
            "controls": list(self.controls),
            "terms": list(self.terms),
            "coefficients": self.coefficients.tolist(),
            "errors": errors,
        }

    def save(self, path: str | PathLike[str], force: bool = False) -> None:
        """Write JSON, every bit of the numbers kept; an existing file is refused unless ``force``.

        Parameters
        ----------
        path : str or path
            Where to write.
        force : bool
            Whether a file that is there may be replaced.

        Raises
        ------
        InputError
            When a file is there and may not be replaced.
        """
        write_json(path, self.to_dict(), force)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Equations:
        """Read what `save` wrote.

        Parameters
        ----------
        path : str or path
            What to read.

        Returns
        -------
        Equations
            The system, as it was saved.

        Raises
        ------
        InputError
            Where the file is something else.
        """
        try:
            stored = json.loads(Path(path).expanduser().read_text(encoding="utf-8"))
            return cls.from_dict(stored)
        except (OSError, ValueError, AttributeError, TypeError, KeyError) as error:
            given = f"{path} ({str(error).splitlines()[0][:120]})"
            what, expected = "These are no saved equations.", f"a JSON file with format {FORMAT!r}"
            raise InputError(explain(what, given=given, expected=expected, fix="equations.save(path)")) from None

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Equations:
        """Read what `to_dict` returned.

        Parameters
        ----------
        stored : mapping
            What `to_dict` returned.

        Returns
        -------
        Equations
            The same system.

        Raises
        ------
        InputError
            When it is something else.
        """
        if stored.get("format") != FORMAT:
            given = f"format {stored.get('format')!r}"
            what, fix = "These are no equations, or those of another version.", "equations.to_dict()"
            raise InputError(explain(what, given=given, expected=repr(FORMAT), fix=fix))
        errors = stored.get("errors")
        if errors is not None:  # JSON has no infinity
            errors = np.array([[np.inf if e is None else e for e in row] for row in errors])
        names, controls, terms = (tuple(stored[key]) for key in ("names", "controls", "terms"))
        return cls(names, controls, terms, np.array(stored["coefficients"], dtype=np.float64), errors)

    def __repr__(self) -> str:
        return cut(f"<Equations: {'; '.join(self.text().splitlines())}>")

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"

    def _repr_html_(self) -> str:
        shown = [printed(f) or "1" for f in self._terms.formulas]
        rows = [
            (f"{name}'", shown[j], number(row[j]), *(() if self.errors is None else (number(self.errors[a][j]),)))
            for a, (name, row) in enumerate(zip(self.names, self.coefficients.tolist(), strict=True))
            for j in np.flatnonzero(row)
        ]
        head = ["equation", "term", "coefficient", *(() if self.errors is None else ("standard error",))]
        return f"<pre>{html.escape(str(self))}</pre>" + html_table(head, rows)


def _several(controls: Any) -> tuple[str, ...]:
    listed = (controls,) if isinstance(controls, str) else controls
    return tuple(str(name) for name in listed)


def _matrix(what: str, given: Any, shape: tuple[int, int], most: float | None = None) -> NDArray:
    matrix = np.array(given, dtype=np.float64)
    fits = matrix.shape == shape or (matrix.size == 0 and 0 in shape)
    sound = not np.isnan(matrix).any() and bool(most is not None or np.isfinite(matrix).all())
    if not fits or not sound:
        shown = f"an array of shape {matrix.shape}" + ("" if sound else ", some not finite")
        expected = f"{shape}: one row a coordinate, one column a term" + ("" if most else ", finite")
        raise InputError(explain(f"The {what} do not fit.", given=shown, expected=expected, fix=f"{what} (d, r)"))
    matrix = matrix.reshape(shape)
    matrix.flags.writeable = False
    return matrix


def _product(values: NDArray, coefficients: NDArray) -> NDArray:
    """Sum terms; one that is not finite spoils only the equations in which it occurs."""
    with np.errstate(invalid="ignore", over="ignore"):
        out = values @ coefficients.T
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(bad):
            parts = np.where(coefficients != 0, coefficients * values[bad, None, :], 0.0)
            out[bad] = parts.sum(axis=2)
    return out


def _exact(c: float) -> Any:
    import sympy

    return sympy.Integer(int(c)) if c.is_integer() and abs(c) < 2**53 else sympy.Float(c)


def _without_controls(
    coefficients: NDArray, formulas: tuple[Formula, ...], fixed: dict[str, float], names: tuple[str, ...]
) -> tuple[NDArray, tuple[Formula, ...]]:
    """Hold controls in all terms; terms that fall together are added up."""
    from erlangen.dynamics._equation_sympy import collected

    held_terms = [held(f, fixed, names).to_sympy() for f in formulas]
    rows = [sum(c * term for c, term in zip(row, held_terms, strict=True)) for row in coefficients.tolist()]
    texts, coefficients = collected(rows, names)
    return coefficients, tuple(Formula(text, names) for text in texts)


def _field(coefficients: NDArray, terms: Terms, d: int) -> AbstractLinearField:
    at, table = terms.table
    rest = [j for j in range(len(terms.formulas)) if j not in set(at.tolist())]
    if not rest:
        table = table if len(table) else np.zeros((1, d), dtype=np.int64)
        weights = coefficients if coefficients.shape[1] else np.zeros((d, 1))
        return PolynomialField(table, weights, "vector")
    basis = FormulaBasis(tuple(terms.formulas[j] for j in rest))
    joined = Joined((Monomials(table), basis)) if len(at) else basis
    return BasisField(joined, coefficients[:, [*at.tolist(), *rest]], "vector")


@register
def _(obj: Equations, request: Request) -> AbstractField:
    """Equations are a field with exact derivatives."""
    return convert(obj.as_field(), request)
