"""
A network that keeps the part that the data allow
=================================================

And says afterwards which part that was. The data: a function of two vectors, with noise, that prefers an axis: of all
rotations, those about the axis leave it alone. The network is told of all rotations, and trained with a price on
breaking them.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

import erlangen as er

torch.manual_seed(0)
torch.set_num_threads(1)
axis = torch.tensor([1.0, 2.0, 2.0]) / 3


def target(x: torch.Tensor) -> torch.Tensor:
    a, b = x[:, :3], x[:, 3:]
    return ((a * b).sum(1) + a @ axis + (b @ axis) ** 2 / 2)[:, None]


def noisy(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(n, 6)
    return x, target(x) + 0.05 * torch.randn(n, 1)


x, y = noisy(400)
network = er.nn.EquivariancePromotingMLP("2V", "S", er.groups.SO(3), hidden=24, layers=1)
price = network.penalty()
rotations = network.rep_in >> network.rep_out
monitor = er.nn.SymmetryMonitor(network, rotations, x[:100], names=["about z", "about y", "about x"])

steps, seen = 400, []
optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
for step in range(steps + 1):
    if step % 20 == 0:
        seen.append(monitor())
    optimiser.zero_grad()
    loss = (network(x) - y).square().mean() + 0.1 * price()
    loss.backward()
    optimiser.step()
    schedule.step()

print({name: round(value, 2) for name, value in seen[-1].items()})

# %%
# What survived, with evidence from data that the network has not seen.
x_new, y_new = (part.double().numpy() for part in noisy(400))
found = er.discover(
    network, er.actions.linear(np.kron(np.eye(2), er.groups.SO(3).lie_algebra)), x_new, data=(x_new, y_new)
)
print(found)

# %%
# The network of that subgroup: the same function, and no price from here on.
group = network.subgroup(x)
exact = network.to_equivariant(group, x)
(turn,) = group.lie_algebra
kept = np.array([turn[2, 1], turn[0, 2], turn[1, 0]])
print(group.name, "with the axis", np.round(kept / kept[np.argmax(np.abs(kept))], 2))
optimiser = torch.optim.Adam(exact.parameters(), lr=0.003)
x_test = torch.randn(2000, 6)
for name, model, training in (("with a price", network, 0), ("of the subgroup", exact, 200)):
    for _ in range(training):
        optimiser.zero_grad()
        (model(x) - y).square().mean().backward()
        optimiser.step()
    with torch.no_grad():
        print(name, f"error {(model(x_test) - target(x_test)).square().mean().sqrt():.3f}")

# %%
# While it was trained: no rotation about a coordinate axis survives, yet only two of three are broken, for a
# combination of them, about the axis of the data, is kept.

plt.figure(figsize=(6, 3.6), layout="constrained")
for name in ("about z", "about y", "about x"):
    plt.plot(np.arange(0, steps + 1, 20), [values[name] for values in seen], label=name)
plt.step(np.arange(0, steps + 1, 20), [values["broken rank"] / 3 for values in seen], "k--", label="broken rank / 3")
plt.xlabel("step")
plt.ylabel("relative defect")
plt.legend()
plt.show()
