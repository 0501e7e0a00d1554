"""
What a simulator leaves out
===========================

And whether that breaks a symmetry. A drop rolls in a round bowl: gravity pulls it back, friction slows it. A
simulator has the linear pull alone. Five noisy tracks say what it lacks: friction, and that the bowl steepens. All of
this is the same in every direction, and a test agrees. Then the bowl is tilted: the same question has another answer,
and the part that breaks the symmetry is split off. Last, a wrong set of equations is repaired, term by term.
"""

import matplotlib.pyplot as plt
import numpy as np

import erlangen as er
from erlangen.dynamics import Equations, ModelError, repair

NAMES = ("x", "y", "u", "v")
SIMULATOR = {"x": "u", "y": "v", "u": "-x", "v": "-y"}
ROUND = {"x": "u", "y": "v", "u": "-x - 0.2*u - 0.5*x*(x**2+y**2)", "v": "-y - 0.2*v - 0.5*y*(x**2+y**2)"}
TILTED = {**ROUND, "u": ROUND["u"] + " + 0.15"}

rng = np.random.default_rng(0)
t = np.linspace(0, 8, 121)
starts = rng.uniform(-1, 1, (5, 4))
turning = er.actions.rotation(2).tied([(0, 1), (2, 3)])


def tracks(right):
    runs = [Equations.from_text(right).simulate(start, t).states for start in starts]
    return er.fields.Trajectories.from_arrays([run + 0.01 * rng.normal(size=run.shape) for run in runs], t, names=NAMES)


figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
for ax, (name, truth) in zip(axes, (("round", ROUND), ("tilted", TILTED))):
    model = ModelError(SIMULATOR, degree=3, symmetry=turning).fit(tracks(truth))
    print(f"--- a {name} bowl: what the simulator lacks")
    print(model.correction_.text(digits=2))
    print(model.test_)
    print(f"misfit in noise levels: {model.before_:.1f} before, {model.after_:.2f} after")
    part = model.breaking_[2, model.feature_names_.index("")]
    print(f"constant push along x that no round bowl explains: {part:.3f}")
    # The force that the simulator lacks, for a drop at rest along the x axis: as found, and as it is.
    x = np.linspace(-1, 1, 101)
    states = np.stack([x, 0 * x, 0 * x, 0 * x], axis=1)
    lacking = [Equations.from_text(right).value(states)[:, 2] for right in (truth, SIMULATOR)]
    ax.plot(x, lacking[0] - lacking[1], "k", linewidth=4, alpha=0.25, label="truth")
    ax.plot(x, model.correction_.value(states)[:, 2], color="tab:orange", label="found")
    ax.set(title=f"{name}: missing force along x", xlabel="x")
axes[0].legend()
plt.show()

# %%
# A wrong set of equations, repaired:

print("--- equations with a wrong sign, a missing term and one too many")
wrong = {**ROUND, "u": "-x + 0.2*u - 0.5*x*(x**2+y**2) + 0.3*x*y", "v": "-y - 0.5*y*(x**2+y**2)"}
print(repair(wrong, tracks(ROUND)))
