"""
A network that is symmetric by construction
===========================================

Train it, check it, export it. The task: the moment of inertia of five bodies, from their masses and positions.
Turning the bodies turns the tensor, I(g x) = g I(x) g^T, so the network maps 5S + 5V to V*V of O(3).
"""

import matplotlib.pyplot as plt
import torch

import erlangen as er
from erlangen.algebra.groups import O

group = O(3)
rep_in, rep_out = er.rep("5S + 5V", group), er.rep("V*V", group)


def inertia(x: torch.Tensor) -> torch.Tensor:
    mass, place = x[:, :5], x[:, 5:].reshape(-1, 5, 3)
    square = (mass[..., None] * place * place).sum((1, 2))
    outer = torch.einsum("nb,nbi,nbj->nij", mass, place, place)
    return (square[:, None, None] * torch.eye(3) - outer).reshape(-1, 9)


torch.manual_seed(0)
x = torch.cat([torch.rand(300, 5), torch.randn(300, 15)], dim=1)
y = inertia(x)

network = er.nn.EquivariantMLP(rep_in, rep_out, hidden=48, layers=1)
optimiser = torch.optim.Adam(network.parameters(), 0.02)
unexplained = []
for _ in range(100):
    optimiser.zero_grad()
    loss = ((network(x) - y) ** 2).mean()
    loss.backward()
    optimiser.step()
    unexplained.append(loss.item() / y.var().item())
print(f"unexplained: {unexplained[-1]:.1%}")

# In evaluation mode each layer keeps its weight, and a graph that is exported holds ordinary linear layers.
network = network.double().eval()
graph = torch.export.export(network, (x[:2].double(),), dynamic_shapes=({0: torch.export.Dim("n")},)).module()

g = group.sample(1, rng=0)[0]
turn_in, turn_out = (torch.from_numpy(rep.group_matrix(g)) for rep in (rep_in, rep_out))
with torch.no_grad():
    turned, after = graph(x.double() @ turn_in.T), graph(x.double()) @ turn_out.T
error = float((turned - after).norm() / after.norm())
print(f"equivariance error of the exported graph is below 1e-10: {error < 1e-10}")

# %%
# A layer of the network is a matrix between representations; the weights that commute with the group share entries.

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
left.semilogy(unexplained, color="tab:orange")
left.set(xlabel="step", ylabel="unexplained", title="training")
layer = er.nn.EquivariantLinear(er.rep("S + 3V", group), er.rep("2S + 2V", group))
right.imshow(er.nn.to_linear(layer).weight.detach(), cmap="RdBu")
right.set(title="weights of a layer S + 3V to 2S + 2V", xticks=[], yticks=[])
plt.show()
