"""
Where a symmetry holds
======================

Inside a disc a potential is round; outside something breaks it. One number for the whole region would hide that. A
map says where the rotation holds, in a sentence and in a figure.
"""

import matplotlib.pyplot as plt
import numpy as np

import erlangen as er


def potential(x):
    """Round within a distance of 2, tilted beyond."""
    r = np.linalg.norm(x, axis=1)
    return np.cos(r) + 0.6 * x[:, 0] * np.maximum(r - 2, 0) ** 2


found = er.evidence.where(potential, er.actions.rotation(2), er.Samples.box(-3, 3, dim=2))
print(found)

# %%
# Each point of the map has a verdict; the dashed circle is where the potential changes.

plt.figure(figsize=(5.2, 4.6), layout="constrained")
for verdict, color in (("holds", "tab:blue"), ("broken", "tab:orange"), ("undecided", "gray")):
    at = found.verdicts[:, 0] == verdict
    plt.scatter(*found.points[at].T, s=9, color=color, label=verdict)
turn = np.linspace(0, 2 * np.pi, 100)
plt.plot(2 * np.cos(turn), 2 * np.sin(turn), "k--", linewidth=1)
plt.gca().set(aspect="equal", xlabel="x", ylabel="y")
plt.legend(loc="upper right")
plt.show()
