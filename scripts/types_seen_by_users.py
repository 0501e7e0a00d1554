"""A program as users write it. pyright reads it (`make types`); it is never run."""

from pathlib import Path
from typing import assert_type

import numpy as np

import erlangen as er

x = np.zeros((9, 2))
found = er.discover(lambda x: (x**2).sum(axis=1), er.actions.rotation(2), er.Samples.box(-1, 1, dim=2))
assert_type(found, er.Symmetry)
assert_type(found.dim, int)
assert_type(found.algebra, er.LieAlgebra)
assert_type(er.identify([[[0, -1], [1, 0]]]), er.algebra.Structure)
assert_type(er.evidence.certify((x, x[:, 0]), er.actions.rotation(2)), er.evidence.Certificate)
flow = er.read_trajectories("runs.csv", time="t")
laws = er.dynamics.conserved(flow)
assert_type(laws, er.dynamics.ConservedQuantities)
assert_type(er.dynamics.SINDy().fit(flow), er.dynamics.SINDy)
assert_type(er.systems.get("pendulum"), er.systems.System)
assert_type(er.fields.as_field(lambda x: x, dim=2), er.fields.AbstractField)
assert_type(er.reports.report(found, "page.html"), Path)
