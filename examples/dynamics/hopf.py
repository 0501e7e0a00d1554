"""
The equations behind a limit cycle
==================================

Four noisy runs that wind onto a circle. Twenty cubic terms could be at work. The symmetry of the samples is found
first, then the equations inside it, without being told the noise.
"""

import matplotlib.pyplot as plt
import numpy as np

import erlangen as er

flow = er.systems.get("hopf").trajectories(rng=0, n_runs=4, t=np.linspace(0, 6, 61), noise=0.05)
model = er.dynamics.SINDy(degree=3, symmetry="discover").fit(flow)
print(model.equations(digits=3))
print(model.symmetry_.verdict)

# %%
# Solutions of what was found, from the first state of each run, through the samples; and from a new state.

t = np.linspace(0, 6, 400)
for run in flow.runs:
    (dots,) = plt.plot(*run.states.T, ".", markersize=3)
    plt.plot(*model.equations_.simulate(run.states[0], t).states.T, color=dots.get_color(), linewidth=1)
plt.plot(*model.equations_.simulate([0.1, 0.0], t).states.T, "k--", linewidth=1, label="a new run")
plt.gca().set(aspect="equal", xlabel="x", ylabel="y")
plt.legend()
plt.show()
