"""What ``--json`` prints, as JSON Schema (draft 2020-12): every key of every document, with its meaning.

A key that is not described here is refused by the tests, so that none appears unannounced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

VERSION = 1
"""Of the documents: it grows where a key changes its meaning or goes, not where one is added."""

Schema = dict[str, Any]


def _text(meaning: str, *choices: str) -> Schema:
    return {"type": "string", "description": meaning} | ({"enum": list(choices)} if choices else {})


def _maybe(meaning: str, kind: str = "string") -> Schema:
    return {"type": [kind, "null"], "description": meaning}


def _flag(meaning: str) -> Schema:
    return {"type": "boolean", "description": meaning}


def _count(meaning: str) -> Schema:
    return {"type": "integer", "minimum": 0, "description": meaning}


def _real(meaning: str) -> Schema:
    """A number; JSON has neither NaN nor infinity, and they become null."""
    return {"type": ["number", "null"], "description": meaning}


def _list(meaning: str, items: Schema | None = None) -> Schema:
    return {"type": "array", "items": items or {"type": "string"}, "description": meaning}


def _object(meaning: str, properties: Mapping[str, Schema], optional: bool = False) -> Schema:
    closed = {"type": "object", "description": meaning, "properties": dict(properties), "additionalProperties": False}
    return closed if optional else closed | {"required": list(properties)}


def _table(meaning: str, values: Schema) -> Schema:
    return {"type": "object", "description": meaning, "additionalProperties": values}


def _or_null(of: Schema, meaning: str) -> Schema:
    return {"anyOf": [of, {"type": "null"}], "description": meaning}


def _refer(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


_NUMBER: Schema = {"type": ["number", "null"]}
_ROW: Schema = {"type": "array", "items": _NUMBER}

ABOUT = _object(
    "What was read and fitted; each command has some of these.",
    {
        "file": _text("The input file, as it was named."),
        "source": _text("Where bundled data come from."),
        "system": _text("Name of a known system."),
        "truth": _table("Its equations, by coordinate.", {"type": "string"}),
        "columns": _list("Columns of the point or state."),
        "controls": _list("Columns given from outside."),
        "target": _list("Columns of the value."),
        "samples": _count("Rows that were used."),
        "blocks": _count("Blocks that they were read in, where they were."),
        "runs": _count("Runs that they belong to."),
        "groups": _list("Labels of the runs."),
        "labels": _flag("Whether the target is zeros and ones, whose log-odds are fitted."),
        "noise": _real("Noise that was added to a known system, as a share of the spread of each coordinate."),
        "intrinsic_dim": _count("Dimension of the set that a cloud lies on."),
        "accuracy": _real("Error of the normals of a cloud."),
        "generators": _text("What an NPZ file holds."),
        "names": _list("Names of the generators in it."),
        "model": _object(
            "The model that was fitted.",
            {
                "reason": _text("What was chosen, and why."),
                "verdict": _text("Whether it fits."),
                "span": _text("Whether the points span the space."),
                "accuracy": _real("Relative error of its derivative."),
                "r2": _real("Coefficient of determination."),
                "noise": {"description": "Noise of each channel.", "anyOf": [_ROW, _NUMBER]},
                "classes": _list(
                    "Classes that were tried.",
                    _object(
                        "",
                        {
                            "name": _text("The class."),
                            "n_params": _count("Its parameters."),
                            "held_out": _real("Its error on rows that it was not fitted to."),
                            "lack_of_fit": _real("p-value against larger classes."),
                            "chosen": _flag("Whether it was chosen."),
                        },
                    ),
                ),
            },
            optional=True,
        ),
    },
    optional=True,
)

BEGINNING: dict[str, Schema] = {
    "schema": {"const": VERSION, "description": "Version of this format."},
    "erlangen": _text("Version of erlangen."),
    "command": _text("The command, as `discover function`; empty where the line was not understood."),
    "answered": _flag("Whether the question is answered: exit code 0."),
    "why_not": _text("Why it is not; empty where it is."),
}
HEAD: dict[str, Schema] = BEGINNING | {
    "about": ABOUT,
    "warnings": _list("What the data made the command warn of."),
    "report": _maybe("The page that `--report` wrote."),
}
VERDICT = {"verdict": _text("The answer in one line.")}

SYMMETRY: dict[str, Schema] = {
    "dim": _count("Number of generators that were found."),
    "name": _text("Name of their Lie algebra."),
    "aliases": _list("Other names of it."),
    "decided": _flag("Whether the data decide."),
    "preserves": _text("The bilinear form that the action preserves, in words."),
    "coordinates": _list("Names of the coordinates."),
    "n_candidates": _count("Generators that were looked among."),
    "directions": _list(
        "Generators that were found, set apart or refused.",
        _object(
            "",
            {
                "generator": _text("The vector field."),
                "defect": _real("Its relative defect: 1 is what an unrelated direction gives."),
                "verdict": _text("`symmetry`, `own` (built from the field itself), `uncovered` or `refused`."),
                "reason": _text("Why."),
            },
        ),
    ),
    "intervals": _list("Lowest and highest defect of each generator that was found.", _ROW),
    "inert": _count("Candidates that move no point."),
    "vacuous": _count("Candidates about which the field says nothing."),
    "spectrum": _list("Relative defects, ascending; the first 64.", _NUMBER),
    "floor": _real("Defects below are rounding, or the error of the derivative."),
    "resolution": _real("Defects below say nothing."),
    "path": _list(
        "Dimension as a function of delta; the first 64 steps.",
        _object("", {"delta": _real("From this delta on."), "dim": _count("the dimension is this.")}),
    ),
    "reason": _text("Where the line was drawn."),
    "margin": _real("Ratio of the defects on both sides of it; null where there is none beyond."),
    "agreement": _maybe("Whether other models of the data agree."),
    "notes": _list("What else should be known."),
    "evidence": _or_null(_refer("certificate"), "Certificate of the symmetry, where there is one."),
}

CERTIFICATE: dict[str, Schema] = {
    "dim": _count("Dimension that is certified."),
    "alpha": _real("Error probability."),
    "delta": _real("Defect up to which something counts as a symmetry."),
    "mode": _text("What it rests on.", "held-out", "simultaneous", "calibrated", "class-free", "model"),
    "guarantee": _text("What holds with which probability."),
    "assumptions": _list("What has to be true for that."),
    "region": _text("Where the claim is made."),
    "generators": _list(
        "Generators with bounds of their true defects.",
        _object(
            "",
            {
                "generator": _text("The vector field."),
                "coefficients": _list("The same over the candidates.", _NUMBER),
                "defect": _real("Estimated defect."),
                "low": _real("Lower bound of the true defect."),
                "high": _real("Upper bound of the true defect."),
                "verdict": _text("`certified`, `refuted`, `undecided` or a reason why it is trivial."),
                "reason": _text("Why."),
            },
        ),
    ),
    "path": _list(
        "Dimension as a function of delta, with a band.",
        _object(
            "",
            {
                "delta": _real("From this delta on."),
                "certified": _count("Dimension that is certified."),
                "estimated": _count("Dimension that is estimated."),
                "possible": _count("Largest dimension that is not refuted."),
            },
        ),
    ),
    "gates": _list(
        "Conditions that were checked first.",
        _object(
            "",
            {
                "name": _text("The condition."),
                "passed": _flag("Whether it holds."),
                "value": _real("What was measured."),
                "limit": _real("What is allowed."),
                "reason": _text("In words."),
            },
        ),
    ),
    "notes": _list("What else should be known."),
}

LAW = _object(
    "A function that is constant along each run.",
    {
        "text": _text("The function."),
        "latex": _text("The same in LaTeX."),
        "terms": _list(
            "Its terms.",
            _object(
                "",
                {
                    "function": _text("A function of the library."),
                    "coefficient": _real("Its coefficient."),
                    "error": _real("Standard error of that."),
                },
            ),
        ),
        "defect": _real("Its change along the flow, relative to what an unrelated function gives."),
        "variance_ratio": _real("Its variance within runs, as a share of that between them."),
        "verdict": _text("What it is."),
    },
)
CONSERVED: dict[str, Schema] = {
    "decided": _flag("Whether the data decide."),
    "n_laws": _count("Number of independent conserved quantities."),
    "linear_dim": _count("Dimension of the linear space of conserved functions."),
    "laws": _list("The conserved quantities.", _refer("law")),
    "dependent": _list("Conserved functions of these.", _refer("law")),
    "relations": _list("Functions that are constant on all of the data.", _refer("law")),
    "drifting": _list("Functions that change slowly.", _refer("law")),
    "spectrum": _list("Relative defects, ascending.", _NUMBER),
    "floor": _real("Defects below are noise or rounding."),
    "path": _list("Pairs of a delta and the dimension from there on.", _ROW),
    "reason": _text("Where the line was drawn."),
    "undecided": _list("What the data cannot decide."),
    "notes": _list("What else should be known."),
    "algebra": _maybe("Name of the Poisson algebra, where positions and momenta are named."),
    "poisson": _or_null(
        _object(
            "",
            {
                "labels": _list("The functions."),
                "constants": {"type": "array", "description": "Structure constants (p, p, p)."},
                "defect": _real("What is left of the brackets."),
                "reason": _text("Why it is closed, or is not."),
            },
        ),
        "The Poisson algebra.",
    ),
    "generators": _list(
        "The symmetry that each law generates.",
        _object(
            "",
            {"law": _text("The law."), "text": _text("The vector field."), "latex": _text("The same in LaTeX.")},
        ),
    ),
    "names": _list("Columns of the state."),
    "n_runs": _count("Number of runs."),
    "n_samples": _count("Number of samples."),
}

EQUATIONS: dict[str, Schema] = {
    "reason": _text("How they were found."),
    "text": _text("The equations, one a line."),
    "latex": _text("The same in LaTeX."),
    "symmetry": _or_null(
        _object("", {"name": _text("Name of its algebra."), "generators": _list("Its generators.")}),
        "The symmetry that was enforced, or kept of those offered.",
    ),
    "symmetry_test": _or_null(
        _object(
            "",
            {
                "gain": _real("By how much equations without the symmetry score better."),
                "breaking": _real("What these add, relative to the velocities."),
                "rejected": _flag("Whether the data speak against the symmetry."),
                "reason": _text("In words."),
            },
        ),
        "An enforced symmetry against none.",
    ),
    "misfit": _or_null(
        _table("", _NUMBER), "What the equations leave of each coordinate, in units of its noise; far above 1 is much."
    ),
    "rivals": _list(
        "Other equations that were considered.",
        _object("", {"change": _text("What differs."), "worse_by": _real("How much worse their score is.")}),
    ),
    "symmetries": _or_null(_refer("found"), "Symmetries of the equations, where `--symmetries` asks for them."),
    "equations": _object(
        "The equations as `er.dynamics.Equations.load` reads them.",
        {
            "format": _text("Version of this part."),
            "names": _list("Coordinates."),
            "controls": _list("Columns given from outside."),
            "terms": _list("Functions."),
            "coefficients": _list("One row for each coordinate, one column for each function.", _ROW),
            "errors": _or_null({"type": "array", "items": _ROW}, "Standard errors."),
        },
    ),
}

ALGEBRA: dict[str, Schema] = {
    "name": _text("Name of the Lie algebra."),
    "aliases": _list("Other names of it."),
    "dim": _count("Its dimension."),
    "levi": _list("Simple factors."),
    "radical_dim": _count("Dimension of the radical."),
    "nilradical_dim": _count("Dimension of the nilradical."),
    "centre_dim": _count("Dimension of the centre."),
    "killing_signature": _list("Positive and negative squares of the Killing form.", {"type": "integer"}),
    "index": _count("Dimension of a generic stabiliser of the coadjoint action."),
    "derived_series": _list("Dimensions of the derived series.", {"type": "integer"}),
    "margin": _real("How clear the least clear decision is."),
    "reason": _text("What was decided, and how clearly."),
    "certificate": _text("What the name rests on."),
    "repair": _maybe("What was repaired in noisy generators."),
    "noise": _real("Relative error of the generators that was allowed for."),
    "closure_defect": _real("What brackets leave outside the span."),
    "alternatives": _list(
        "Other algebras near noisy generators.",
        _object(
            "",
            {
                "name": _text("Its name."),
                "rms": _real("Distance of the generators from it."),
                "chi2": _real("The same in units of their noise."),
                "dof": _real("Degrees of freedom."),
                "accepted": _flag("Whether the noise explains it."),
            },
        ),
    ),
}

PACKAGE = _object(
    "A package.",
    {
        "name": _text("Its name."),
        "required": _text("Versions that are asked for."),
        "version": _text("The version that is installed; empty where it is not."),
        "state": _text("Whether it is there and can be imported.", "well", "missing", "broken"),
        "error": _text("What is wrong with it."),
    },
)
DOCTOR: dict[str, Schema] = {
    "problems": _list("What is wrong, with the line that mends it."),
    "erlangen_version": _text("Version of erlangen."),
    "machine": _object(
        "The machine.",
        {
            "system": _text("Operating system."),
            "architecture": _text("Processor."),
            "python": _text("Version of Python."),
            "executable": _text("Path of Python."),
            "cores": _maybe("Cores.", "integer"),
            "usable_cores": _maybe("Cores that this process may use.", "integer"),
            "memory_gb": _real("Memory in GB, or what a container may use of it."),
        },
    ),
    "stored": _text("Where settings and caches are."),
    "packages": _list("Packages that erlangen always needs.", _refer("package")),
    "linear_algebra": _list(
        "Libraries of linear algebra and OpenMP that are loaded.",
        _object(
            "",
            {
                "user_api": _maybe("`blas` or `openmp`."),
                "internal_api": _maybe("Which one."),
                "version": _maybe("Its version."),
                "num_threads": _maybe("Its threads.", "integer"),
            },
        ),
    ),
    "thread_settings": _table("Variables that set a number of threads.", {"type": "string"}),
    "torch": _or_null(
        _object(
            "",
            {
                "version": _text("Version of PyTorch."),
                "error": _text("What importing it raised."),
                "threads": _count("Its threads."),
                "cuda": _maybe("Version of CUDA that it was built with."),
                "devices": _list(
                    "GPUs.",
                    _object(
                        "",
                        {
                            "name": _text("The device."),
                            "memory_gb": _real("Its memory in GB."),
                            "capability": _text("Compute capability."),
                        },
                    ),
                ),
                "mps": _flag("Whether an Apple GPU can be used."),
            },
            optional=True,
        ),
        "PyTorch, where it is installed.",
    ),
    "extras": _list(
        "Optional parts.",
        _object(
            "",
            {
                "name": _text("The extra."),
                "state": _text("Whether it is there.", "installed", "partly", "missing", "broken"),
                "install": _text("The line that installs it."),
                "packages": _list("What it holds.", _refer("package")),
            },
        ),
    ),
    "checks": _list(
        "Questions with known answers.",
        _object(
            "",
            {
                "name": _text("What was computed."),
                "passed": _flag("Whether that is right."),
                "detail": _text("What came out."),
                "seconds": _real("Time that it took."),
            },
        ),
    ),
}

UNDECIDED: dict[str, Schema] = {"reason": _text("Why no answer follows from the data, and what would help.")}

ERROR: dict[str, Schema] = {
    "error": _object(
        "What went wrong: exit code 2, or 130 where the command was interrupted.",
        {
            "type": _text(
                "Whose turn it is: the line (`usage`), the data or options (`input`), a package (`extra`), memory, the "
                "operating system (`system`), a person (`interrupted`), or erlangen's developers (`unexpected`).",
                *("usage", "input", "extra", "memory", "system", "interrupted", "unexpected"),
            ),
            "what": _text("What went wrong, in one line."),
            "given": _maybe("What was given."),
            "expected": _maybe("What was expected."),
            "fix": _maybe("What to do."),
        },
    )
}

CITATION: dict[str, Schema] = {
    "what": _text("What is cited."),
    "references": _list(
        "Papers, erlangen first.",
        _object(
            "",
            {
                "key": _text("BibTeX key."),
                "kind": _text("`article`, `book`, ..."),
                "text": _text("The reference in words."),
                "bibtex": _text("The reference for a .bib file."),
            },
        ),
    ),
}

KINDS: dict[str, tuple[str, dict[str, Schema]]] = {
    "symmetry": ("Generators that leave data alone.", HEAD | VERDICT | SYMMETRY),
    "certificate": ("Bounds of true defects with error control.", HEAD | VERDICT | CERTIFICATE),
    "conserved": ("What trajectories conserve.", HEAD | VERDICT | CONSERVED),
    "equations": ("Equations of motion.", HEAD | VERDICT | EQUATIONS),
    "algebra": ("The name of an algebra.", HEAD | VERDICT | ALGEBRA),
    "doctor": ("What is installed, and whether it works.", HEAD | VERDICT | DOCTOR),
    "citation": ("Papers behind what was used.", HEAD | VERDICT | CITATION),
    "undecided": ("No answer follows from the data: exit code 1.", HEAD | VERDICT | UNDECIDED),
    "error": ("Bad usage or bad input: exit code 2.", BEGINNING | ERROR),
}
"""Documents, by the key ``kind`` that every one of them has."""

COMMANDS: dict[str, tuple[str, ...]] = {
    "demo": ("conserved", "equations", "undecided", "error"),
    "discover dynamics": ("symmetry", "undecided", "error"),
    "discover function": ("symmetry", "undecided", "error"),
    "discover cloud": ("symmetry", "undecided", "error"),
    "certify function": ("certificate", "undecided", "error"),
    "certify dynamics": ("certificate", "undecided", "error"),
    "conserved": ("conserved", "undecided", "error"),
    "equations": ("equations", "undecided", "error"),
    "identify": ("algebra", "undecided", "error"),
    "doctor": ("doctor", "error"),
    "cite": ("citation", "error"),
}
"""Kinds of documents that each command prints."""


def _documents() -> dict[str, Schema]:
    return {
        name: _object(meaning, {"kind": {"const": name, "description": "What kind of document this is."}} | fields)
        for name, (meaning, fields) in KINDS.items()
    }


def parts() -> dict[str, Schema]:
    """Objects that stand inside documents, in several places."""
    found = {"kind": {"const": "symmetry", "description": "What this is."}}
    return {
        "law": LAW,
        "package": PACKAGE,
        "found": _object("Symmetries of equations.", found | VERDICT | SYMMETRY),
        "certificate": _object("A certificate.", VERDICT | CERTIFICATE),
    }


def schema_of(command: str | None = None) -> Schema:
    """Return the schema of what a command prints with ``--json``, or of all of them."""
    kinds = tuple(KINDS) if command is None else COMMANDS[command]
    documents = {f"{name}_document": form for name, form in _documents().items() if name in kinds}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"erlangen {command or ''} --json".replace("  ", " "),
        "description": f"Format {VERSION}. Numbers that are not finite are null.",
        "oneOf": [_refer(name) for name in documents],
        "$defs": documents | _used(documents),
    }


def _used(documents: Mapping[str, Schema]) -> dict[str, Schema]:
    """Parts that documents refer to, and those that these refer to."""
    known, wanted = parts(), set(_references(documents))
    while more := {name for part in wanted for name in _references(known[part])} - wanted:
        wanted |= more
    return {name: known[name] for name in known if name in wanted}


def _references(form: Any) -> Iterator[str]:
    if isinstance(form, Mapping):
        if isinstance(form.get("$ref"), str):
            yield form["$ref"].rpartition("/")[2]
        for part in form.values():
            yield from _references(part)
    elif isinstance(form, list):
        for part in form:
            yield from _references(part)
