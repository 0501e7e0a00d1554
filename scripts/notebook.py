"""Run a notebook in a real kernel, and check what each cell shows.

    python scripts/notebook.py [FILE]

Discovers, draws, reports and certifies; stops a bound half-way and takes what was kept; shows a progress bar and a
warning. With FILE, the executed notebook is written there, to be looked at.
"""

from __future__ import annotations

import sys
import tempfile

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

CELLS = {
    "import erlangen as er, numpy as np": {},
    "sym = er.discover('x**2 + y**2', er.actions.affine(2), er.Samples.box(-1, 1, dim=2)); sym": {
        "text/html": "x d/dy - y d/dx",
        "text/latex": r"\partial_{y}",
        "text/plain": "so(2)",
    },
    "er.actions.rotation(3)": {"text/html": "<table>", "text/latex": r"\xi_{3}"},
    "er.plot(sym)": {"image/png": "", "text/plain": "Figure"},
    "er.report(sym, 'symmetry.html')": {"text/plain": "symmetry.html"},
    """x = np.random.default_rng(0).uniform(-1, 1, (400, 2))
y = (x**2).sum(axis=1) + 0.01 * np.random.default_rng(1).normal(size=400)
er.evidence.certify((x, y), er.actions.affine(2), er.Samples.box(-1, 1, dim=2), family=2)""": {
        "text/html": "certified"
    },
    """def impatient(items, desc, total):
    for step, item in enumerate(items):
        if step == 3:
            raise KeyboardInterrupt
        yield item
with er.progress(impatient):
    er.evidence.bound("x**2 + 1.01*y**2 + x*y**3", er.actions.rotation(2), [(-1, 1), (-1, 1)], ratio=1.0001)""": {
        "error": "stopped after 3 steps"
    },
    "import sys; sys.last_value.partial": {"text/html": "partial: ", "text/plain": "BoxCertificate"},
    """import time
from erlangen import _progress
_progress.PATIENCE = 0.05
for _ in _progress.track(range(3), "slow work"):
    time.sleep(0.2)""": {"stderr": "slow work"},
    """t = np.arange(0, 10, 0.1)
model = er.dynamics.SINDy(degree=1, form="weak").fit(np.c_[np.cos(t), -np.sin(t), 0 * t + 1], t)""": {
        "stderr": "fix: leave it out"
    },
    "model.equations_": {"text/html": "x1", "text/latex": r"\dot{", "text/plain": "Equations"},
}


def shown(cell: nbformat.NotebookNode) -> dict[str, str]:
    """What a cell shows, by kind."""
    found: dict[str, str] = {}
    for output in cell.outputs:
        if output.output_type == "stream":
            found[output.name] = found.get(output.name, "") + output.text
        elif output.output_type == "error":
            found["error"] = output.evalue
        else:
            found |= output.data
    return found


def main() -> int:
    notebook = new_notebook(cells=[new_code_cell(source) for source in CELLS])
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(notebook, allow_errors=True, timeout=300, resources={"metadata": {"path": folder}})
        client.execute()
    if len(sys.argv) > 1:
        nbformat.write(notebook, sys.argv[1])
    wrong = 0
    for cell, wanted in zip(notebook.cells, CELLS.values(), strict=True):
        found = shown(cell)
        odd = [f"{kind} without {text!r}" for kind, text in wanted.items() if text not in found.get(kind, "\0")]
        odd += [f"error: {found['error']}"] if "error" in found and "error" not in wanted else []
        wrong += bool(odd)
        print("wrong" if odd else "ok   ", cell.source.splitlines()[0][:70], *odd, sep="  ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
