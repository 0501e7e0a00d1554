"""
What the planets conserve
=========================

Nine bodies of the solar system over 150 years, from JPL's ephemeris. Which functions of position and velocity stay
constant along every path? Polynomials of degree 2 and 1/r are on offer; energy and angular momentum come out, and the
algebra of their Poisson brackets, so(3) and one more, is named.
"""

import matplotlib.pyplot as plt
import numpy as np

import erlangen as er
from erlangen.data import planets_path
from erlangen.fields.libraries import Expressions, Polynomial

planets = er.read_trajectories(planets_path(), time="t", group="body")
functions = Polynomial(2) + Expressions("1/sqrt(x**2 + y**2 + z**2)")
laws = er.dynamics.conserved(planets, functions, positions=["x", "y", "z"], momenta=["vx", "vy", "vz"])
print(laws)

# %%
# The energy per mass, as it was found, along each path. What matters is that each line is flat, not where it lies.

figure = plt.figure(figsize=(9, 3.8), layout="constrained")
left, right = figure.add_subplot(1, 2, 1, projection="polar"), figure.add_subplot(1, 2, 2)
for i, name in enumerate(planets.groups):
    x, v = np.split(planets.runs[i].states, 2, axis=1)
    r = np.linalg.norm(x, axis=1)
    energy = (v**2).sum(axis=1) / 2 - 1 / r
    left.plot(np.arctan2(x[:, 1], x[:, 0]), np.log10(10 * r), ".", markersize=1)
    right.plot(np.linspace(0, 1, len(energy)), energy, label=str(name))
left.set(title="paths, radius in decades", xticks=[], yticks=[])
right.set(xlabel="time, as a part of each run", title="1/2 v^2 - 1/r")
right.set_yscale("symlog", linthresh=0.01)
right.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()
