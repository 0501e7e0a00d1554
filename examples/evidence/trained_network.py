"""
Which symmetry did a network learn, and where does it break?
============================================================

A network was trained on energies of two bodies that depend on their distance alone. Is its energy invariant under
turning both? No network is exactly. How far off it is, under which rotation, and in which layer, is a measurement.
"""

import matplotlib.pyplot as plt
import torch

import erlangen as er

torch.manual_seed(0)
torch.set_num_threads(1)
x = torch.randn(600, 6)
y = torch.exp(-(x[:, :3] - x[:, 3:]).square().sum(1, keepdim=True) / 4)
network = torch.nn.Sequential(
    torch.nn.Linear(6, 48), torch.nn.Tanh(), torch.nn.Linear(48, 48), torch.nn.Tanh(), torch.nn.Linear(48, 1)
)

turns = er.actions.rotation(3).tied([(0, 1, 2), (3, 4, 5)])
monitor = er.nn.SymmetryMonitor(network, turns, x[:200], names=["about z", "about y", "about x"])
optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
steps, defects, errors = range(0, 401, 40), [], []
for step in range(401):
    optimiser.zero_grad()
    loss = (network(x) - y).square().mean()
    loss.backward()
    if step in steps:
        seen = monitor()
        defects.append([seen[name] for name in ("about z", "about y", "about x")])
        errors.append((loss / y.var()).sqrt().item())
    optimiser.step()
print({name: round(value, 3) for name, value in monitor().items()})

# %%
# The same question, asked afterwards, of finite rotations; and a repair that needs no training: the average over the
# group, by a quadrature with a few hundred rotations, here some 50 times closer to symmetric.

group = er.groups.SO(3)
network.double()
print(er.testing.equivariance_error(network, (er.rep("2V", group), er.rep("S", group))))
exact = er.nn.symmetrize(network, group, "2V", "S")
print(er.testing.equivariance_error(exact, (er.rep("2V", group), er.rep("S", group))))

plt.figure(figsize=(6, 3.8), layout="constrained")
plt.semilogy(steps, defects, label=["about z", "about y", "about x"])
plt.semilogy(steps, errors, "k--", label="unexplained (root mean square)")
plt.xlabel("step")
plt.ylabel("relative defect")
plt.legend()
plt.show()
