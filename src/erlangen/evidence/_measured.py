"""What a certificate says of single generators: from tensors where they fit, else generator by generator."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from erlangen._typing import NDArray
from erlangen.evidence._lean import Lean
from erlangen.evidence._task import Answer
from erlangen.evidence.bilinear import Bilinear
from erlangen.evidence.gates import generator_errors
from erlangen.evidence.simultaneous import bounds_of


class AbstractMeasured(ABC):
    """Estimates, bounds and errors of single generators."""

    @abstractmethod
    def defect(self, xi: NDArray) -> float:
        """Estimated relative defect of one generator ``xi (p,)``; 0 where its denominator vanishes."""

    @abstractmethod
    def bounds(self, xi: NDArray) -> tuple[float, float]:
        """Bounds of its true defect."""

    @abstractmethod
    def errors(self, rows: NDArray) -> NDArray | float:
        """Errors of generators ``(r, p)``, as the closure gate takes them."""

    @abstractmethod
    def noise(self, rows: NDArray) -> float:
        """Error of a generator of unit size among ``rows (r, p)``."""

    @property
    @abstractmethod
    def everywhere(self) -> bool:
        """Whether every generator is bounded, or those of the certified span only."""


@dataclass(frozen=True, eq=False)
class ByTensors(AbstractMeasured):
    """From the two tensors."""

    both: Bilinear
    answer: Answer

    def defect(self, xi: NDArray) -> float:
        lie, size = (float(np.linalg.norm(rows @ xi)) for rows in self._estimated)
        return lie / size if size > 0.0 else 0.0

    @cached_property
    def _estimated(self) -> tuple[NDArray, NDArray]:
        """Numerators and denominators at the estimate, which all generators share."""
        theta = self.answer.fit.theta
        return self.both.numerator(theta), self.both.denominator(theta)

    def bounds(self, xi: NDArray) -> tuple[float, float]:
        if not self.everywhere:
            return 0.0, self.answer.bound
        return bounds_of(self.both, self.answer.fit, xi, self.answer.radius)

    def errors(self, rows: NDArray) -> NDArray:
        chooser = self.answer.chooser
        return self._errors(rows, self.answer.fit.root if chooser is None else chooser)

    def _errors(self, rows: NDArray, root: NDArray) -> NDArray:
        return generator_errors(self.both.lie, self.answer.fit.theta, root, rows)

    def noise(self, rows: NDArray) -> float:
        spread = np.linalg.norm(self._errors(rows, self.answer.fit.root), axis=(1, 2))
        return float(np.max(spread / np.linalg.norm(rows, axis=1)))

    @property
    def everywhere(self) -> bool:
        return not math.isnan(self.answer.radius)


@dataclass(frozen=True, eq=False)
class ByGenerators(AbstractMeasured):
    """From matrices of each generator of the certified span: nothing is said of others."""

    lean: Lean
    answer: Answer

    def defect(self, xi: NDArray) -> float:
        return self.lean.defect(xi, self.answer.fit.theta)

    def bounds(self, xi: NDArray) -> tuple[float, float]:
        return 0.0, self.answer.bound

    def errors(self, rows: NDArray) -> float:
        return self.noise(rows)

    def noise(self, rows: NDArray) -> float:
        return min(self.answer.bound, 0.1)

    @property
    def everywhere(self) -> bool:
        return False
