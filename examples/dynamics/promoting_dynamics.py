"""Equations of motion from a few noisy orbits, when nobody knows which symmetry they have.

A mass on a spring that stiffens, with friction: x'' = -x - |x|^2 x / 2 - x' / 5 in the plane. Offered are the four
linear maps of the plane, acting on position and velocity alike; which of them are symmetries, the data decide. The
survivor is named, enforced, and leaves few coefficients to be found.
"""

import numpy as np
from scipy.integrate import solve_ivp

import erlangen as er


def spring(_, z):
    x, v = z[:2], z[2:]
    return np.r_[v, -x - 0.5 * (x @ x) * x - 0.2 * v]


rng = np.random.default_rng(0)
t = np.linspace(0, 6, 61)
starts = rng.uniform(-1.2, 1.2, (8, 4))
clean = [solve_ivp(spring, (0, 6), start, t_eval=t, rtol=1e-9, atol=1e-9).y.T for start in starts]
runs = [orbit + 0.02 * rng.normal(size=orbit.shape) for orbit in clean]
names = ["x", "y", "u", "v"]

planes = er.actions.gl(2).tied([(0, 1), (2, 3)])
model = er.dynamics.SINDy(degree=3, promote=planes).fit(runs, t, names=names)
print(model.equations(digits=3))
print(f"{model.broken_rank_} of 4 generators are broken; what is left is {model.symmetry_.name}:")
print(model.symmetry_)
print(f"{model.dim_} of 140 dimensions are left to search")

new = rng.uniform(-1.2, 1.2, 4)
truth = solve_ivp(spring, (0, 6), new, t_eval=t, rtol=1e-9, atol=1e-9).y.T
plain = er.dynamics.SINDy(degree=3, sparsity=None).fit(runs, t, names=names)
for name, one in (("promoted", model), ("least squares", plain)):
    print(f"{name}: a new orbit is predicted within {np.abs(one.simulate(new, t) - truth).max():.3f}")
