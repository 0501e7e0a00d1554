"""Symmetries on disk: JSON for people and programs, NPZ beside it for the arrays, never a pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from erlangen._errors import InputError, explain
from erlangen._files import check_target, save_arrays, write_text
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, PolynomialAction, UnknownOutput
from erlangen.derivative import Factors, Scales
from erlangen.derivative.forms import DenseForm
from erlangen.linalg.rank import RankDecision
from erlangen.verbs import _export
from erlangen.verbs._agree import Agreement
from erlangen.verbs._measure import MAX_STORED, Measurement
from erlangen.verbs._name import name_of
from erlangen.verbs._sort import Found, Generator

if TYPE_CHECKING:
    from erlangen.verbs.symmetry import Symmetry

FORMAT = 1
"""Version of the files; a reader refuses versions it does not know."""

LISTS = ("generators", "own", "uncovered", "refused")


def save(sym: Symmetry, path: Path, force: bool) -> None:
    """Write the JSON and, beside it, the arrays."""
    from erlangen.verbs.symmetry import require_polynomial

    arrays_path = _arrays_beside(path, force)
    base = require_polynomial(sym.candidates)
    if sym.candidates is not base and not isinstance(sym.candidates, UnknownOutput):
        raise InputError(
            explain(
                "Symmetries up to the choice of time, with controls or of second order have no file format.",
                given=type(sym.candidates).__name__,
                expected="generators on points, or pairs with an unknown output",
                fix="sym.to_dict() holds everything that prints",
            )
        )
    coo = base.matrix.tocoo()
    arrays = {
        "exponents": base.exponents,
        "row": coo.coords[0],
        "column": coo.coords[1],
        "data": coo.data,
        "shape": np.array(coo.shape),
        "xi": sym.found.matrix(*LISTS).reshape(-1, sym.candidates.n_generators),
        "spectrum": sym.spectrum,
        "inert": sym.inert,
        "vacuous": sym.vacuous,
        "points": sym.points,
        "point_scales": sym.scales.points,
        "value_scales": sym.scales.values,
    }
    if base.output is not None:
        arrays["output"] = base.output
    if base.origin is not None:
        arrays |= {"origin_exponents": base.origin.exponents, "origin": base.origin.matrix.toarray()}
    arrays |= _factors(sym)
    extra = {
        "format": FORMAT,
        "noise": sym.noise,
        "arrays": arrays_path.name,
        "field_kind": sym.kind,
        "groups": [list(g) for g in sym.scales.groups],
        "lists": [len(getattr(sym.found, name)) for name in LISTS],
        "unknown_output": [sym.candidates.channels, sym.candidates.shift]
        if isinstance(sym.candidates, UnknownOutput)
        else None,
        "decision": sym.decision.dim,
        "agrees": None if sym.agreement is None else [sym.agreement.agrees, sym.agreement.worst],
        "measured": None if sym.measurement is None else [sym.measurement.error, sym.measurement.delta],
        "full_path": [[delta, dim] for delta, dim in sym.path],
    }
    save_arrays(arrays_path, arrays, force=force)
    write_text(path, json.dumps(_export.to_dict(sym) | extra, indent=2), force=force)


def _arrays_beside(path: Path, force: bool) -> Path:
    """Path of the arrays; refuses what cannot be written before anything is."""
    if path.suffix.lower() == ".npz":
        raise InputError(
            explain(
                "The arrays are written to this file: it cannot hold the JSON too.",
                given=str(path),
                expected="a path that ends in .json; the arrays go beside it, to the same name with .npz",
                fix=f"sym.save({path.with_suffix('.json').name!r})",
            )
        )
    check_target(path, force)
    beside = path.with_suffix(".npz")
    check_target(beside, force)
    return beside


def load(path: Path) -> Symmetry:
    """Read a symmetry; its algebra is named anew from the generators."""
    from erlangen.verbs.symmetry import Symmetry

    stored, arrays = _read(path)
    action = _action(stored, arrays)
    scales = Scales(arrays["point_scales"], arrays["value_scales"], tuple(tuple(g) for g in stored["groups"]))
    found = _found(stored, arrays["xi"])
    margin = float("inf") if stored["margin"] is None else stored["margin"]
    agrees = stored["agrees"]
    return Symmetry(
        candidates=action,
        coordinates=tuple(stored["coordinates"]),
        spectrum=arrays["spectrum"],
        floor=stored["floor"],
        resolution=stored["resolution"],
        path=tuple((delta, dim) for delta, dim in stored["full_path"]),
        decision=RankDecision(stored["decision"], stored["reason"], margin),
        found=found,
        inert=arrays["inert"],
        vacuous=arrays["vacuous"],
        structure=name_of(action, found, arrays["points"].mean(axis=0), scales.points, stored["noise"]),
        agreement=None if agrees is None else Agreement(agrees[0], agrees[1], stored["agreement"]),
        kind=stored["field_kind"],
        points=arrays["points"],
        scales=scales,
        noise=stored["noise"],
        measurement=_measurement(stored, arrays),
    )


def _factors(sym: Symmetry) -> dict[str, NDArray]:
    """Arrays that measure any generator, where there are few candidates."""
    if sym.measurement is None or sym.candidates.n_generators > MAX_STORED:
        return {}
    factors = sym.measurement.factors
    return {"lie": factors.rows, "moves": factors.moves.dense(), "informs": factors.informs.dense()}


def _measurement(stored: dict, arrays: dict[str, NDArray]) -> Measurement | None:
    if "lie" not in arrays:
        return None
    moves, informs = DenseForm(arrays["moves"]), DenseForm(arrays["informs"])
    return Measurement(Factors(arrays["lie"], moves, informs, len(arrays["lie"])), *stored["measured"])


def _read(path: Path) -> tuple[dict, dict[str, NDArray]]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored.get("format") != FORMAT:
            raise ValueError(f"format {stored.get('format')!r}")
        name = Path(stored["arrays"]).name  # never outside the folder of the JSON
        with np.load(path.with_name(name), allow_pickle=False) as archive:
            return stored, {key: archive[key] for key in archive.files}
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise InputError(
            explain(
                "This is not a saved symmetry.",
                given=f"{path} ({error})",
                expected=f"a JSON file of format {FORMAT} with its NPZ file beside it",
                fix='symmetry.save("symmetry.json")',
            )
        ) from None


def _action(stored: dict, arrays: dict[str, NDArray]) -> AbstractAction:
    shape = tuple(int(v) for v in arrays["shape"])
    matrix = sparse.csr_array((arrays["data"], (arrays["row"], arrays["column"])), shape=shape)
    named = "origin" in arrays
    origin = PolynomialAction(arrays["origin_exponents"], sparse.csr_array(arrays["origin"])) if named else None
    base = PolynomialAction(arrays["exponents"], matrix, arrays.get("output"), origin)
    return base if stored["unknown_output"] is None else UnknownOutput(base, *stored["unknown_output"])


def _found(stored: dict, xi: NDArray) -> Found:
    rows, start, lists = stored["directions"], 0, []
    for count in stored["lists"]:
        chosen = range(start, start + count)
        lists.append(tuple(Generator(xi[i], rows[i]["defect"], rows[i]["verdict"], rows[i]["reason"]) for i in chosen))
        start += count
    return Found(*lists)
