"""
The Lorentz group in a noisy table
==================================

1500 noisy values of a function of two four-vectors. The same 4 x 4 matrix may act on both vectors, and any matrix is
on offer. What leaves the values alone turns out to be six-dimensional, and is named so(3,1), with the metric that it
keeps.
"""

import matplotlib.pyplot as plt
import numpy as np

import erlangen as er
from erlangen.systems.lorentz import lorentz_table

x, y = lorentz_table(1500, noise=0.01)
sym = er.discover((x, y), er.actions.gl(4).tied([range(4), range(4, 8)]))
print(sym.verdict)
for text in sym.texts:
    print(text)

# %%
# Six of sixteen directions lie below the tolerance, with the noise of the table in them. Three of the generators mix
# two directions of space (rotations), three mix space with time (boosts).

figure, axes = plt.subplot_mosaic("abcd;aefg", figsize=(9, 4), width_ratios=[2.4, 1, 1, 1], layout="constrained")
order = np.arange(1, len(sym.spectrum) + 1)
axes["a"].semilogy(order, sym.spectrum, "o", color="tab:orange")
axes["a"].axhline(0.05, color="gray", linestyle="--", label="delta = 0.05")
axes["a"].set(xlabel="direction", ylabel="relative defect", title=sym.name)
axes["a"].legend()
for name, matrix in zip("bcdefg", sym.group.lie_algebra):
    block = matrix[:4, :4] / np.abs(matrix).max()
    axes[name].imshow(block, cmap="RdBu", vmin=-1, vmax=1)
    axes[name].set(title="rotation" if np.allclose(block, -block.T, atol=0.05) else "boost", xticks=[], yticks=[])
plt.show()
