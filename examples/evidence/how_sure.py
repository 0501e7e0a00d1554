"""Is it real? Forty noisy measurements do not decide; four hundred more, where they say most, do.

Run with `python examples/how_sure.py`.
"""

import numpy as np

import erlangen as er
from erlangen.evidence import certify, suggest_points, where

SQUARE, TURN = er.Samples.box(-1, 1, dim=2), er.actions.rotation(2)


def measure(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A potential that is invariant under rotations, with noise."""
    return x[:, 0] ** 2 + x[:, 1] ** 2 + 0.1 * rng.standard_normal(len(x))


def main() -> None:
    rng = np.random.default_rng(2)
    x = rng.uniform(-1, 1, (40, 2))
    y = measure(x, rng)
    print(certify((x, y), TURN, SQUARE, family=2, mode="simultaneous").verdict)

    found = suggest_points((x, y), 400, action=TURN, samples=SQUARE, family=2)
    print(found.reason)
    x, y = np.vstack([x, found.points]), np.concatenate([y, measure(found.points, rng)])
    print(certify((x, y), TURN, SQUARE, family=2, mode="simultaneous"))

    print(where(lambda x: (x**2).sum(axis=1) + x[:, 0] * (x[:, 1] > 0.5), TURN, SQUARE).sentences[0])


if __name__ == "__main__":
    main()
