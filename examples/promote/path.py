"""
Ten inputs, one direction that matters
======================================

36 values of a quadratic function of ten inputs, which has 66 coefficients. The function varies along one direction
only, so nine translations leave it alone; nobody says which. The sum of the singular values of the Lie derivative is
the price of breaking translations.
"""

import matplotlib.pyplot as plt
import numpy as np

import erlangen as er

rng = np.random.default_rng(0)
u = rng.normal(size=10)
u /= np.linalg.norm(u)


def target(x):
    return 1 + x @ u + 2 * (x @ u) ** 2


family = er.fields.Polynomial(degree=2, dim=10).as_field()
penalty = er.promote(family, er.actions.translation(10), er.Samples.box(-1, 1, dim=10))
x, x_new = rng.uniform(-1, 1, (36, 10)), rng.uniform(-1, 1, (500, 10))
y = target(x) + 0.05 * rng.normal(size=36)

weights = penalty.largest_weight(x, y) * np.geomspace(1, 1e-4, 13)
path = penalty.path(x, y, weights)
errors = [np.sqrt(np.mean((fit.field.value(x_new)[:, 0] - target(x_new)) ** 2)) for fit in path]
best = path[int(np.argmin(errors))]
print(best.reason)
print("angle between what is broken and the truth:", np.round(np.abs(u @ best.kept).max(), 3))

# %%
# Between "nothing is broken" and "everything is" lies a range of weights in which one translation is, the right one.
# The least squares fit without a price, of least norm, is shown as a line.

plain = np.linalg.lstsq(family.features(x)[:, 0], y, rcond=None)[0]
reference = np.sqrt(np.mean((family.with_theta(plain).value(x_new)[:, 0] - target(x_new)) ** 2))
figure, (top, bottom) = plt.subplots(2, 1, figsize=(6, 4.6), sharex=True, layout="constrained")
top.step(weights, [fit.broken_rank for fit in path], where="mid", color="tab:orange")
top.set(ylabel="broken translations", xscale="log")
bottom.loglog(weights, errors, "o-", color="tab:orange", label="promoted")
bottom.axhline(reference, color="gray", linestyle="--", label="least squares")
bottom.set(xlabel="weight of the penalty", ylabel="error at new points")
bottom.legend()
plt.show()
