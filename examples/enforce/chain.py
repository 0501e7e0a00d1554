"""
From data to a deployed network
===============================

Without writing a group down. The data: states of two bodies and the states one time step later. The symmetry found in
them goes into a network, which is trained on orbits that start in the lower half plane, exported, and asked about
orbits in the upper one.
"""

import matplotlib.pyplot as plt
import torch

import erlangen as er
from erlangen.systems.two_body import one_step_pairs, two_body_orbits

before, after = one_step_pairs(two_body_orbits(200), 10)
planes = er.actions.gl(2).tied([(0, 1), (2, 3), (4, 5), (6, 7)])  # one 2 x 2 matrix for all positions and momenta
symmetry = er.discover((before, after), planes, kind="map")
print(symmetry.verdict)

rep = symmetry.rep
torch.manual_seed(0)
network = er.nn.EquivariantMLP(rep, rep, hidden=48, layers=1, dtype=torch.float64)
x, y = torch.from_numpy(before), torch.from_numpy(after)
optimiser = torch.optim.Adam(network.parameters(), 0.005)
for step in range(100):
    rows = slice(200 * (step % 10), 200 * (step % 10) + 200)
    optimiser.zero_grad()
    ((network(x[rows]) - y[rows]) ** 2).mean().backward()
    optimiser.step()

graph = torch.export.export(network.eval(), (x[:2],), dynamic_shapes=({0: torch.export.Dim("n")},)).module()

upper, later = (torch.from_numpy(a) for a in one_step_pairs(two_body_orbits(50, rng=1, half="upper")))
with torch.no_grad():
    print(f"unexplained in the other half plane: {((graph(upper) - later) ** 2).mean() / later.var():.2%}")
    turn = torch.from_numpy(symmetry.group.sample(1, rng=0)[0])
    error = torch.linalg.norm(graph(upper @ turn.T) - graph(upper) @ turn.T) / torch.linalg.norm(later)
print(f"equivariance error of the exported graph is below 1e-10: {bool(error < 1e-10)}")

# The same symmetry in a fit whose coefficients can be read: the flow as a polynomial.
flow = er.estimators.EquivariantRegressor(symmetry, degree=3).fit(before, after)
print(f"{flow.subspace_.dim} coefficients instead of {8 * 165}, score {flow.score(upper.numpy(), later.numpy()):.3f}")

# %%
# Orbits in the half plane that no training data came from, and one step of each as the network predicts it.

plt.figure(figsize=(5.2, 4.6), layout="constrained")
with torch.no_grad():
    predicted = graph(upper).numpy()
plt.plot(*later[:, :2].numpy().T, "o", markersize=5, fillstyle="none", color="gray", label="truth")
plt.plot(*predicted[:, :2].T, ".", markersize=3, color="tab:orange", label="predicted")
plt.plot(*before[:2000, :2].T, ",", color="tab:blue", label="training data")
plt.gca().set(aspect="equal", xlabel="x of the first body", ylabel="y of the first body")
plt.legend(loc="lower right")
plt.show()
