"""Equations of motion from whole trajectories: candidates by the weak form, then Gauss-Newton on solutions."""
