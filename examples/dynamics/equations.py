"""
From a noisy table to equations
===============================

The whole way on one screen. A body on a spring in the plane, with friction and noise. The equations are found without
being told the noise; the symmetry is found in the same data; together they predict a run that was never seen.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import erlangen as er

truth = er.dynamics.Equations.from_text({"x": "u", "y": "v", "u": "-2*x - 0.3*u", "v": "-2*y - 0.3*v"})
rng, t = np.random.default_rng(0), np.linspace(0, 6, 61)
starts = rng.uniform(-1, 1, (4, 4))
noisy = [truth.simulate(start, t).states + 0.05 * rng.normal(size=(61, 4)) for start in starts]
flow = er.fields.Trajectories.from_arrays(noisy, t, names=["x", "y", "u", "v"])

plain = er.dynamics.SINDy(degree=1).fit(flow)
planes = er.actions.gl(2).tied([(0, 1), (2, 3)])  # linear maps of the plane, on position and velocity alike
model = er.dynamics.SINDy(degree=1, promote=planes).fit(flow)
print(model.equations(digits=3))
print("symmetry:", model.symmetry_)
print(model.reason_)

new = rng.uniform(-1, 1, 4)
seen = truth.simulate(new, t).states
for name, one in (("without symmetry", plain), ("with what was found", model)):
    apart = np.abs(one.equations_.simulate(new, t).states - seen).max()
    print(f"{name}: {one.dim_} dimensions, a new run is predicted within {apart:.3f}")

with tempfile.TemporaryDirectory() as folder:
    model.equations_.save(Path(folder) / "spring.json")
    page = er.reports.dynamics_page(model, flow, Path(folder) / "spring.html")
    print("a page to share:", page.name, f"{page.stat().st_size / 1e6:.1f} MB")

# %%
# The new run, and how far each prediction is from it.

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
left.plot(*seen[:, :2].T, "k", linewidth=4, alpha=0.25, label="truth")
for name, one, color in (("without symmetry", plain, "tab:blue"), ("with what was found", model, "tab:orange")):
    path = one.equations_.simulate(new, t).states
    left.plot(*path[:, :2].T, color=color, linewidth=1, label=name)
    right.plot(t, np.linalg.norm(path - seen, axis=1), color=color, label=name)
left.set(aspect="equal", xlabel="x", ylabel="y")
left.legend()
right.set(xlabel="time", ylabel="distance from the truth")
plt.show()
