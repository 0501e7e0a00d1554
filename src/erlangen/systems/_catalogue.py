"""Known systems by name."""

from __future__ import annotations

from functools import cache

from erlangen._errors import InputError, explain, nearest
from erlangen.systems._system import System


@cache
def _rows() -> dict[str, System]:
    from erlangen.systems import _chaos, _mechanics, _plane

    return {row.name: row for rows in (_plane.ROWS, _mechanics.ROWS, _chaos.ROWS) for row in rows}


def names() -> list[str]:
    """Names of the known systems.

    Returns
    -------
    list of str
        What `get` takes.

    Examples
    --------
    >>> names()[:3]
    ['brusselator', 'damped_oscillator', 'dipole']
    """
    return sorted(_rows())


def get(name: str) -> System:
    """A known system.

    Parameters
    ----------
    name : str
        One of :func:`names`.

    Returns
    -------
    System
        Equations, parameters, symmetries and conserved quantities.

    Raises
    ------
    InputError
        Where there is none of this name.

    Examples
    --------
    >>> get("lorenz").equations()["z"]
    'x*y - 2.6666666666666665*z'
    """
    rows = _rows()
    if name not in rows:
        close = nearest(str(name), rows)
        raise InputError(
            explain(
                f"No system is called {name!r}.",
                given=repr(name),
                expected=", ".join(sorted(rows)),
                fix=f"er.systems.get({close or 'lorenz'!r})",
            )
        )
    return rows[name]
