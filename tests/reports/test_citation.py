"""References: entries that BibTeX takes, and the right ones for what was used."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import erlangen as er
from erlangen.reports import _sources
from erlangen.reports._bibliography import bibliography, plain

ROOT = Path(__file__).parents[2]
FILE = Path(er.__file__).parent / "reports" / "references.bib"

REQUIRED = {
    "article": {"author", "title", "journal", "year"},
    "book": {"author", "title", "publisher", "year"},
    "inproceedings": {"author", "title", "booktitle", "year"},
    "incollection": {"author", "title", "booktitle", "publisher", "year"},
    "misc": {"author", "title", "year"},
    "software": {"author", "title", "version", "year"},
}


# --- the entries


def test_every_entry_is_read_once_and_has_its_fields():
    text = FILE.read_text(encoding="ascii")  # accents are written as BibTeX has them
    written = re.findall(r"^@\w+\{(.*),$", text, re.MULTILINE)
    assert len(written) == len(set(written)) and set(written) == set(bibliography())
    for entry in bibliography().values():
        fields = dict(entry.fields)
        assert REQUIRED[entry.kind] <= set(fields), entry.key
        assert len(fields) == len(entry.fields) and all(fields.values()), entry.key
        assert entry.kind == "software" or entry["year"] in entry.key, entry.key


def balanced(text: str) -> bool:
    depth = 0
    for character in text:
        depth += (character == "{") - (character == "}")
        if depth < 0:
            return False
    return depth == 0


def test_braces_balance_and_text_has_none():
    for entry in bibliography().values():
        assert balanced(entry.bibtex), entry.key
        assert all(balanced(value) for _, value in entry.fields), entry.key
        assert not re.search(r"[{}\\]|--|\.\.| and others", str(entry)), str(entry)


def test_an_entry_in_words():
    assert str(bibliography()["bjorck1973numerical"]) == (
        "Åke Björck and Gene H. Golub. Numerical Methods for Computing Angles between Linear Subspaces. "
        "Mathematics of Computation 27(123):579-594. 1973."
    )
    assert plain(r"Gr{\"u}nwald \& Mezi{\'c}") == "Grünwald & Mezić"
    assert str(bibliography()["puny2022frame"]).startswith("Omri Puny, Matan Atzmon, Heli Ben-Hamu et al. Frame")


def test_every_key_in_use_exists_and_every_entry_is_used():
    tables = (_sources.SOURCES, _sources.MODES, _sources.EVERY)
    used = {key for table in tables for keys in table.values() for key in keys}
    told = set(re.findall(r'"([a-z]+\d{4}[a-z]+)"', inspect.getsource(_sources)))
    assert used <= told | {"erlangen"} and told <= set(bibliography())
    assert set(bibliography()) - told == {"erlangen"}


# --- what the docstrings say


def public() -> Iterator[tuple[str, Any]]:
    """Every class and function that a public module offers."""
    seen = set()
    for module in [er, *(getattr(er, name) for name in er._MODULES)]:
        for name in dir(module):
            found = getattr(module, name)
            ours = str(getattr(found, "__module__", "")).startswith("erlangen")
            if not name.startswith("_") and ours and callable(found) and id(found) not in seen:
                seen.add(id(found))
                yield f"{module.__name__}.{name}", found


def references(found: Any) -> str:
    doc = inspect.getdoc(found) or ""
    section = re.search(r"^References\n-+\n(.*?)(?=^\w[\w ]*\n-{3,}|\Z)", doc, re.MULTILINE | re.DOTALL)
    return section.group(1) if section else ""


def test_papers_of_the_docstrings_are_cited():
    with_references = [(name, found) for name, found in public() if references(found)]
    assert len(with_references) > 40
    missing = {}
    for name, found in with_references:
        years = set(re.findall(r"\b(?:1[89]|20)\d\d\b(?!\d|\.\d)", references(found)))
        missing[name] = years - {entry["year"] for entry in er.citation(found).entries}
    assert {name: years for name, years in missing.items() if years} == {}  # add them to reports/_sources.py


def test_every_name_of_the_tables_is_one_of_erlangen():
    names = {name.rpartition(".")[2] for name, _ in public()}
    internal = {"AbstractSubspace", "Closure", "Promoted", "Selected", "EquivariantMaps", "Named"}
    assert set(_sources.SOURCES) - names == internal
    for name in internal:
        assert any(name in vars(importlib.import_module(home)) for home in HOMES), name


HOMES = ("erlangen.linalg.subspace", "erlangen.verbs._promote_result", "erlangen.verbs._promote_selected",
         "erlangen.verbs.closure", "erlangen.verbs._name", "erlangen.algebra.equivariant.maps")  # fmt: skip


# --- features of results

ONE, THREE = er.actions.rotation(2), er.actions.affine(3)


def keys(found: Any) -> set[str]:
    return set(er.citation(found).keys[1:])


def test_nothing_means_erlangen_itself():
    found = er.citation()
    assert found.keys == ("erlangen", "otto2025unified")
    assert er.__version__ in str(found.entries[0]) and found.bibtex.count("@") == 2
    assert "Zolman" in found._repr_html_() and "<pre>@software{erlangen" in found._repr_html_()


def test_a_certificate_by_its_mode():
    x = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    y = (x**2).sum(axis=1) + 0.02 * np.random.default_rng(1).normal(size=200)
    for mode, paper in [("held-out", "schuirmann1987comparison"), ("simultaneous", "kendiukhov2026certified")]:
        found = er.evidence.certify((x, y), ONE, mode=mode, family=2)
        assert paper in keys(found) and keys(found) == keys(mode)
    assert keys("held-out") & keys("class-free") == set()


def test_a_symmetry_brings_the_papers_of_its_model_and_its_name():
    x = np.random.default_rng(0).uniform(-1, 1, (120, 3))
    exact = er.discover(lambda x: (x**2).sum(axis=1), THREE, er.Samples.from_data(x))
    fitted = er.discover((x, (x**2).sum(axis=1)), THREE)
    assert keys(exact) == {"otto2025unified", "degraaf2000lie", "helgason1978differential"}
    assert keys(fitted) - keys(exact) == {"kendiukhov2026certified", "allen1974relationship"}
    assert fitted.certificate is not None and keys(fitted.certificate) <= keys(fitted)
    vars(exact)["_evidence"] = (SimpleNamespace(mode="held-out"), "")  # as once a certificate was asked for
    assert keys("held-out") <= keys(exact)


def test_names_of_solvable_algebras():
    heisenberg = np.zeros((3, 3, 3))
    heisenberg[0, 0, 1] = heisenberg[1, 1, 2] = heisenberg[2, 0, 2] = 1.0
    found = er.identify(heisenberg)
    assert {"bianchi1898spazi", "ellis1969class"} <= keys(found) and "helgason1978differential" not in keys(found)


def test_equations_by_their_form_and_their_symmetry():
    x = np.random.default_rng(0).normal(size=(40, 2))
    slopes = er.dynamics.SINDy(degree=1).fit(x, x_dot=x @ [[0, -1], [1, 0]])
    assert keys(slopes) == {"brunton2016discovering"}
    assert keys(er.dynamics.SINDy(form="weak")) == {"brunton2016discovering", "messenger2021galerkin"}
    assert "bock1981numerical" in keys(er.dynamics.SINDy())
    assert "otto2025unified" in keys(er.dynamics.SINDy(promote=ONE)) and keys("SINDy") == keys(er.dynamics.SINDy(
        symmetry=ONE)) == keys(er.dynamics.SINDy)  # fmt: skip


def test_functions_families_and_layers():
    family = er.fields.Polynomial(degree=3, dim=2).as_vector_field()
    assert keys(er.enforce(family, ONE)) == keys(er.enforce) == {"otto2025unified"}
    assert keys(er.nn.EquivariantMLP("V", "S", er.groups.SO(3))) == {"finzi2021practical", "weiler2018steerable"}
    assert keys(er.dynamics.smooth) == {"wahba1978improper", "craven1979smoothing"}
    assert keys("er.dynamics.smooth") == keys("smooth") == keys(er.dynamics.smooth)


@pytest.mark.parametrize(
    "given, words", [("discovr", "did you mean 'discover'"), (3, "type int"), (np.zeros(2), "type ndarray"),
                     (SimpleNamespace(), "type SimpleNamespace"), (np.linalg.norm, "no object of erlangen")]
)  # fmt: skip
def test_what_is_not_known(given, words):
    with pytest.raises(er.InputError, match=re.escape(words)):
        er.citation(given)


# --- CITATION.cff


def test_the_citation_file_says_the_same():
    cff = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    own, paper = er.citation().entries
    assert f'title: "{own["title"]}"' in cff and f"version: {er.__version__}\n" in cff
    assert own["version"] == er.__version__
    assert f"title: {paper['title']}\n" in cff and f"year: {paper['year']}\n" in cff
    for person in dict(paper.fields)["author"].split(" and "):
        family, given = person.split(", ")
        assert f"- family-names: {family}\n        given-names: {given}\n" in cff
    for name, value in [("journal", paper["journal"]), ("volume", paper["volume"]), ("issue", paper["number"])]:
        assert f"{name}: {value}\n" in cff
