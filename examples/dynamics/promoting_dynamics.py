"""
Equations when nobody knows which symmetry they have
====================================================

From a few noisy orbits. A mass on a spring that stiffens, with friction: x'' = -x - (x.x) x / 2 - x' / 5 in the
plane. Offered are the four linear maps of the plane, acting on position and velocity alike; which of them are
symmetries, the data decide. The survivor is named, enforced, and leaves few coefficients to be found.
"""

import matplotlib.pyplot as plt
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

# form="strong" fits slopes of the smoothed runs, which is quicker than fitting solutions to the samples.
planes = er.actions.gl(2).tied([(0, 1), (2, 3)])
model = er.dynamics.SINDy(degree=3, promote=planes, form="strong").fit(runs, t, names=names)
print(model.equations(digits=3))
print(f"{model.broken_rank_} of 4 generators are broken; what is left is {model.symmetry_.name}:")
print(model.symmetry_)
print(f"{model.dim_} of 140 dimensions are left to search")

new = rng.uniform(-1.2, 1.2, 4)
truth = solve_ivp(spring, (0, 6), new, t_eval=t, rtol=1e-9, atol=1e-9).y.T
plain = er.dynamics.SINDy(degree=3, sparsity=None, form="strong").fit(runs, t, names=names)
for name, one in (("promoted", model), ("least squares", plain)):
    print(f"{name}: a new orbit is predicted within {np.abs(one.simulate(new, t) - truth).max():.3f}")

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
left.plot(*truth[:, :2].T, "k", linewidth=4, alpha=0.25, label="truth")
for name, one, color in (("least squares", plain, "tab:blue"), ("promoted", model, "tab:orange")):
    path = one.simulate(new, t)
    left.plot(*path[:, :2].T, color=color, linewidth=1, label=name)
    right.semilogy(t[1:], np.linalg.norm(path - truth, axis=1)[1:], color=color)
left.set(aspect="equal", xlabel="x", ylabel="y")
left.legend()
right.set(xlabel="time", ylabel="distance from the truth")
plt.show()
