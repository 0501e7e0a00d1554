"""
A Green's function from eight experiments
=========================================

Nobody says whether the ring is uniform. A source f on a ring makes a field u with -u'' + V u = f. On a uniform ring u
is a convolution of f, so translations commute with the operator from f to u; a patch that absorbs breaks that. Both
operators are learned by the same call, from eight pairs of 63 values each: 504 numbers for 3969 entries, where least
squares needs 63 pairs.
"""

import matplotlib.pyplot as plt
import numpy as np

import erlangen as er

rng = np.random.default_rng(0)
grid = er.actions.FunctionGrid((63,), high=2 * np.pi)
angle, derivative = grid.points[:, 0], grid.derivative(0)
shifts = er.actions.on_grid(er.actions.translation(1), grid)
penalty = er.promote(er.fields.operators(63), shifts)


def experiments(operator, n):
    """Random sources, and fields with 5 % of noise."""
    sources = rng.normal(size=(n, 63))
    fields = sources @ operator.T
    return sources, fields + 0.05 * fields.std() * rng.normal(size=fields.shape)


def error(found, operator):
    return np.linalg.norm(found - operator) / np.linalg.norm(operator)


figure, axes = plt.subplots(2, 3, figsize=(8, 4.8), layout="constrained")
for row, (name, patch) in zip(axes, (("uniform", 0.0), ("with a patch", 20.0))):
    absorption = 1 + patch * np.exp(-(((angle - 2) / 0.2) ** 2))
    green = np.linalg.inv(np.diag(absorption) - derivative @ derivative)
    (f, u), (f_new, u_new) = experiments(green, 8), experiments(green, 4)

    weights = penalty.largest_weight(f, u) * np.geomspace(1, 1e-4, 13)
    best = min(penalty.path(f, u, weights), key=lambda fit: np.mean((fit.field.value(f_new) - u_new) ** 2))

    ridges = [np.linalg.solve(f.T @ f + a * np.eye(63), f.T @ u).T for a in np.geomspace(1e-3, 1e3, 13)]
    ridge = min(ridges, key=lambda operator: np.mean((f_new @ operator.T - u_new) ** 2))
    ratio = error(best.field.matrix, green) / error(ridge, green)
    print(f"{name}: {best.broken_rank} of 1 translations broken, error {error(best.field.matrix, green):.1%}, ", end="")
    print(f"{ratio:.2f} of that of ridge")
    for ax, title, operator in zip(row, ("true", "promoted", "ridge"), (green, best.field.matrix, ridge)):
        ax.imshow(operator, cmap="RdBu", vmin=-np.abs(green).max(), vmax=np.abs(green).max())
        ax.set(title=f"{name}: {title}", xticks=[], yticks=[])
plt.show()
