"""Checks for those who extend or use the library in their own test suites."""

from erlangen.testing._report import SymmetryReport as SymmetryReport
from erlangen.testing.checks import check_action as check_action
from erlangen.testing.checks import check_field as check_field
from erlangen.testing.symmetric import assert_symmetric as assert_symmetric
from erlangen.testing.symmetric import equivariance_error as equivariance_error

__all__ = [
    "SymmetryReport",
    "assert_symmetric",
    "check_action",
    "check_field",
    "equivariance_error",
]
