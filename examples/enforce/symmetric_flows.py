"""
Every cubic flow of the plane with a rotation symmetry
======================================================

Twenty coefficients describe a cubic vector field of the plane. Which of these fields look the same after any turn?
The answer is computed in rational arithmetic: a space of four dimensions, with a basis that can be read. Lines are as
wide as the flow is fast.
"""

import textwrap

import matplotlib.pyplot as plt
import numpy as np

import erlangen as er

family = er.fields.Polynomial(degree=3, dim=2).as_vector_field()
basis = er.enforce(family, er.actions.rotation(2))
print(basis.dim, "of", family.n_params)

u = np.linspace(-1.3, 1.3, 30)
points = np.stack(np.meshgrid(u, u), axis=-1).reshape(-1, 2)
figure, axes = plt.subplots(1, basis.dim, figsize=(10, 3.3), layout="constrained")
for ax, theta in zip(axes, basis.sparse_basis().T):
    velocity = family.with_theta(theta).value(points).reshape(30, 30, 2)
    speed = np.linalg.norm(velocity, axis=2)
    width = 0.3 + 3 * speed / speed.max()
    ax.streamplot(u, u, velocity[..., 0], velocity[..., 1], color="tab:orange", density=0.6, linewidth=width)
    ax.set_title(textwrap.fill(family.describe(theta), 20), fontsize=9)
    ax.set(aspect="equal", xticks=[], yticks=[])
plt.show()
