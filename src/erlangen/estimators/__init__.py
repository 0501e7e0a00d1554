"""Estimators that follow the contract of scikit-learn, imported when they are first used."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

if _TYPE_CHECKING:
    from erlangen.estimators.promoting import SymmetryPromotingRegressor as SymmetryPromotingRegressor
    from erlangen.estimators.regressor import EquivariantRegressor as EquivariantRegressor

# scikit-learn takes a second to import, and `import erlangen.estimators` must not.
_HOMES = {
    "EquivariantRegressor": "erlangen.estimators.regressor",
    "SymmetryPromotingRegressor": "erlangen.estimators.promoting",
}

__all__ = ["EquivariantRegressor", "SymmetryPromotingRegressor"]


def __getattr__(name: str) -> _Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'erlangen.estimators' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(_import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
