"""Checks for those who extend or use the library in their own test suites."""

from erlangen.testing.checks import check_action as check_action
from erlangen.testing.checks import check_field as check_field
