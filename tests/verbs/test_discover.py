"""Discovery: exact dimension and name on the shared table, and the laws that hold on every row."""

import json

import numpy as np
import pytest

import erlangen as er
from erlangen.actions import UnknownOutput, polynomial
from erlangen.fields import PolynomialField
from erlangen.linalg.subspace import span

from .problems import PROBLEMS, centraliser_dimension, hopf, linear_field, quadratic


@pytest.mark.parametrize("name", PROBLEMS)
def test_known_answers(name):
    problem = PROBLEMS[name]
    sym = er.discover(*problem.build())
    assert (sym.dim, len(sym.own), sym.name) == (problem.dim, problem.own, problem.name)
    if problem.preserves:
        assert problem.preserves in sym.preserves
    assert np.all(sym.defects < 1e-12)
    assert not sym.refused
    str(sym), sym._repr_html_(), json.dumps(sym.to_dict())
