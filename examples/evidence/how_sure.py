"""
Is it real? When measurements do not decide
===========================================

Forty noisy measurements of a potential do not decide whether it is round. Four hundred more do, placed where they say
most. The certificate lists what it assumes and which of that was tested.
"""

import matplotlib.pyplot as plt
import numpy as np

import erlangen as er
from erlangen.evidence import certify, suggest_points

square, turn = er.Samples.box(-1, 1, dim=2), er.actions.rotation(2)
rng = np.random.default_rng(2)


def measure(x):
    """A potential that is invariant under rotations, with noise."""
    return x[:, 0] ** 2 + x[:, 1] ** 2 + 0.1 * rng.standard_normal(len(x))


x = rng.uniform(-1, 1, (40, 2))
y = measure(x)
few = certify((x, y), turn, square, family=2, mode="simultaneous")
print(few.verdict)

found = suggest_points((x, y), 400, action=turn, samples=square, family=2)
print(found.reason)
x, y = np.vstack([x, found.points]), np.concatenate([y, measure(found.points)])
many = certify((x, y), turn, square, family=2, mode="simultaneous")
print(many)

# %%
# What is known of the one generator's defect, before and after, and where the new points went.

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for row, certificate in enumerate((few, many)):
    (bound,) = certificate.bounds
    left.plot([bound.low, min(bound.high, 1)], [row, row], "-", color="tab:orange", linewidth=6, solid_capstyle="butt")
    left.plot(bound.defect, row, "ko")
left.axvline(0.05, color="gray", linestyle="--", label="delta = 0.05")
left.set(yticks=[0, 1], yticklabels=["40 values", "440 values"], ylim=(-0.7, 1.7), xlim=(-0.01, 0.3))
left.set(xlabel="true defect of x d/dy - y d/dx, at 95 %")
left.legend()
right.plot(*found.points.T, ".", color="tab:orange", label="suggested")
right.plot(*x[:40].T, "k.", label="first")
right.set(aspect="equal", xlabel="x", ylabel="y")
right.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()
