"""Types that annotations share."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

NDArray: TypeAlias = np.ndarray[tuple[Any, ...], np.dtype[Any]]
"""An array; its shape, and what its numbers are, stand in the docstrings.

``numpy.typing.NDArray`` without an argument is unknown to type checkers, and so is everything that mentions it.
"""
