"""
The rotations that a function keeps
===================================

A function is given as code. Twelve affine motions of space are on offer; three of them leave the function alone, and
what they generate has a name.
"""

import matplotlib.pyplot as plt
import numpy as np

import erlangen as er


def f(x):
    """Values (n,) at points x (n, 3)."""
    return np.exp(-(x**2).sum(axis=1))


sym = er.discover(f, er.actions.affine(3), er.Samples.box(-1, 1, dim=3))
print(sym)

# %%
# Each direction among the candidates has a relative defect: 0 for a symmetry, 1 for a direction that has nothing to
# do with the function. Three of them are rounding; the nine others are far above the declared tolerance.

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
left.semilogy(np.arange(1, 13), np.maximum(sym.spectrum, 1e-16), "o", color="tab:orange")
left.axhline(0.05, color="gray", linestyle="--", label="delta = 0.05")
left.set(xlabel="direction", ylabel="relative defect", title=sym.verdict.partition(" preserving")[0], ylim=(1e-17, 10))
left.legend()

# The flow of one generator, x d/dy - y d/dx, on a slice through the function.
u = np.linspace(-1.2, 1.2, 61)
x, y = np.meshgrid(u, u)
right.contourf(x, y, f(np.stack([x, y, 0 * x], axis=-1).reshape(-1, 3)).reshape(x.shape), 12, cmap="Blues")
right.streamplot(u, u, -y, x, color="tab:orange", linewidth=0.8, density=0.7)
right.set(title="the flow of x d/dy - y d/dx", aspect="equal", xlabel="x", ylabel="y")
plt.show()

# %%
# The figure for a paper comes with the result: :code:`er.reports.save_figure(paper, "so3.pdf")` writes it.

paper = er.plot(sym)
