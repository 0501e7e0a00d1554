"""Blocks, reductions and engines: any cut of the rows, in any tree, gives what the whole table gives."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from scipy.linalg import subspace_angles

import erlangen as er
from erlangen.blocks import DaskEngine, Factored, SerialEngine, Summary, as_blocks, generated
from erlangen.blocks.source import Joined

da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")

N_BLOCKS, ROWS = 7, 300
EPS = np.finfo(np.float64).eps


def rows_of(i: int, d: int = 3, n: int = ROWS) -> np.ndarray:
    return np.random.default_rng([11, i]).normal(size=(n + 13 * i, d)) + np.arange(d)


def whole(d: int = 3) -> np.ndarray:
    return np.vstack([rows_of(i, d) for i in range(N_BLOCKS)])


def table(d: int = 3):
    return generated(lambda i: rows_of(i, d), N_BLOCKS, dim=d)


def squared(block):
    yield 0, block
    yield 1, block[:, :2] ** 2


ENGINES = {"serial": SerialEngine(), "dask": DaskEngine(workers=2), "one chain": DaskEngine(workers=1)}


@pytest.mark.parametrize("name", ENGINES)
def test_factors_are_those_of_the_whole_table(name):
    factors = table().on(ENGINES[name]).reduce(Factored(squared, (3, 2), piece=100))
    for stream, rows in zip(factors, (whole(), whole()[:, :2] ** 2)):
        gram = rows.T @ rows
        assert np.abs(stream.factor().T @ stream.factor() - gram).max() <= 100 * EPS * np.abs(gram).max()
        assert stream.n_rows == len(rows)


def test_any_tree_of_merges_gives_the_same_factor():
    reduction = Factored(squared, (3, 2))
    leaves = [reduction.fold(reduction.start(), rows_of(i)) for i in range(N_BLOCKS)]
    rng = np.random.default_rng(0)
    expected = whole().T @ whole()
    for _ in range(5):
        trees = copy.deepcopy(leaves)
        while len(trees) > 1:
            i, j = rng.permutation(len(trees))[:2]
            merged = reduction.merge(trees[i], trees[j])
            trees = [t for k, t in enumerate(trees) if k not in (i, j)] + [merged]
        r = trees[0][0].factor()
        assert np.abs(r.T @ r - expected).max() <= 100 * EPS * np.abs(expected).max()


def test_a_fold_leaves_the_sum_that_it_was_given():
    # a worker may compute a block twice: what it had must not have changed
    reduction = Factored(squared, (3, 2))
    first = reduction.fold(reduction.start(), rows_of(0))
    before = first[0].factor().copy()
    twice = [reduction.fold(first, rows_of(1))[0].factor() for _ in range(2)]
    reduction.merge(first, first)
    assert np.array_equal(first[0].factor(), before) and np.array_equal(*twice)


@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_a_summary_is_that_of_the_whole_table(offset):
    blocks = generated(lambda i: rows_of(i) + offset, N_BLOCKS, dim=3)
    got, want = blocks.reduce(Summary(3, 40)), whole() + offset
    assert got.n == len(want) == round(got.weights.sum()) and len(got.rows) == 40 * N_BLOCKS
    long = want.astype(np.longdouble)
    mean, std = long.mean(axis=0), long.std(axis=0)
    assert np.allclose(got.mean, mean.astype(float), rtol=N_BLOCKS * ROWS * EPS)
    assert np.allclose(got.std, std.astype(float), rtol=N_BLOCKS * ROWS * EPS * max(1.0, offset / got.std.min()))
    assert np.array_equal(got.low, want.min(axis=0)) and np.array_equal(got.high, want.max(axis=0))


def test_tables_of_dask_are_blocks():
    x = whole()
    forms = {
        "array": da.from_array(x, chunks=(500, 2)),
        "frame": dd.from_pandas(__import__("pandas").DataFrame(x, columns=list("abc")), npartitions=4),
        "blocks": table(),
    }
    for name, form in forms.items():
        blocks = as_blocks(form)
        assert np.array_equal(np.vstack([blocks.load(i) for i in range(blocks.n_blocks)]), x), name
    assert as_blocks(forms["frame"]).names == ("a", "b", "c")
    assert as_blocks(forms["frame"]).select(["c", "a"]).load(0).shape[1] == 2
    assert np.array_equal(as_blocks(forms["array"][:, 0]).load(0), x[:500, :1])


# (field, kind, candidates, samples of the in-memory path), each seen by serial blocks and by Dask
CASES = {
    "function": (lambda x: np.exp(-(x**2).sum(axis=1) / 8), None, er.actions.affine(3)),
    "vector field": (lambda x: np.cross(x, [0.0, 0.0, 1.0]) - 0.1 * x, "vector", er.actions.affine(3)),
    "generators by rule": (
        lambda x: x[:, 0] ** 2 + x[:, 1] ** 2,
        None,
        er.actions.CallableAction(
            lambda x: np.stack([np.roll(x, 1, 1) * [-1, 1, 0], x, np.sin(x)], 1), 3, ("turn", "grow", "wave")
        ),
    ),
}


@pytest.mark.parametrize("engine", ["serial", "dask"])
@pytest.mark.parametrize("case", CASES)
def test_discovery_in_blocks_is_discovery(case, engine):
    f, kind, action = CASES[case]
    points = np.vstack([rows_of(i) / 3 for i in range(N_BLOCKS)])
    blocks = generated(lambda i: rows_of(i) / 3, N_BLOCKS, dim=3).on(ENGINES[engine])
    here, there = (er.discover(f, action, where, kind=kind) for where in (points, blocks))
    assert (there.dim, there.name, there.decided) == (here.dim, here.name, here.decided)
    assert np.allclose(there.spectrum, here.spectrum, rtol=1e-9, atol=1e3 * EPS)
    if here.dim:
        assert subspace_angles(here.generators.T, there.generators.T).max() <= 1e-8


def test_enforcing_and_promoting_in_blocks_are_what_they_are_in_memory():
    family = er.fields.Polynomial(degree=2, dim=3).as_field()
    points, blocks = whole(), table()
    here, there = (er.enforce(family, er.actions.rotation(3), s, method="auto") for s in (points, blocks))
    assert here.dim == there.dim == 2 and here.angles(there).max() <= 1e-8
    theta = np.random.default_rng(3).normal(size=family.n_params)
    values = [er.promote(family, er.actions.affine(3), s).value(theta) for s in (points, blocks)]
    assert values[0] == pytest.approx(values[1], rel=1e-10)
    penalty = er.promote(family, er.actions.rotation(3), er.Samples.box(-3, 4, dim=3))

    def values_at(x):
        return (x[:, :2] ** 2).sum(axis=1) + 1e-3 * np.sin(57 * x[:, 0])

    y = generated(lambda i: values_at(rows_of(i)), N_BLOCKS, dim=1)
    fits = [penalty.fit(*data, lam=0.1).theta for data in ((points, values_at(points)), (blocks, y))]
    assert np.allclose(*fits, rtol=1e-6, atol=1e-8)


def test_a_table_is_fitted_to_all_its_rows(monkeypatch):
    monkeypatch.setattr("erlangen.fields.table_blocks.MOST_ROWS", 1000)
    n, noise = 20_000, 0.3
    rng = np.random.default_rng(5)
    x = rng.uniform(-1, 1, (n, 2))
    y = 1 + x[:, 0] + x[:, 0] ** 2 + x[:, 1] ** 2 + noise * rng.standard_normal(n)
    chunks = 4000
    blocks = (da.from_array(x, chunks=(chunks, 2)), da.from_array(y, chunks=chunks))
    field = er.as_field(blocks)
    design = np.column_stack([np.ones(n), x, x[:, 0] ** 2, x[:, 0] * x[:, 1], x[:, 1] ** 2])
    truth = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    assert np.allclose(field.value(x[:500])[:, 0], truth[:500], rtol=0, atol=1e4 * EPS)
    assert field.noise[0] == pytest.approx(noise, rel=0.02)
    assert field.error_root is not None and field.runner_up is not None
    sym = er.discover(blocks, er.actions.rotation(2))
    assert sym.lie is not None and sym.spectrum[0] == pytest.approx(
        er.discover(field, er.actions.rotation(2), x).spectrum[0], rel=1e-6
    )


def test_what_needs_every_point_says_that_they_are_not_at_hand():
    samples = er.Samples.from_blocks(table())
    with pytest.raises(er.InputError, match=r"samples\.local"):
        _ = samples.points
    assert len(samples) == len(whole()) and samples.dim == 3 and "7 blocks" in repr(samples)


BAD = {
    "nan": (lambda: generated(lambda i: np.full((4, 2), np.nan), 2, dim=2).summary(), "not finite"),
    "width": (lambda: generated(lambda i: np.ones((4, 3)), 2, dim=2).summary(), r"\(n, 2\)"),
    "empty": (lambda: er.Samples.from_blocks(generated(lambda i: np.ones((0, 2)), 2, dim=2)), "no samples"),
    "no width": (lambda: generated(lambda i: np.ones((4, 3)), 2), "dim or names"),
    "masked": (lambda: generated(lambda i: np.ma.masked_less(rows_of(i), 0.0), 2, dim=3).summary(), "not finite"),
    "complex": (lambda: generated(lambda i: rows_of(i) + 0j, 2, dim=3).summary(), "two columns"),
    "text": (lambda: generated(lambda i: np.array([["a", 1]], dtype=object), 2, dim=2).load(0), "astype"),
    "engine": (lambda: table().on("dask"), "local_cluster"),
    "workers": (lambda: DaskEngine(workers=0), "1 or more"),
    "no workers": (lambda: er.blocks.local_cluster(0).__enter__(), "__main__"),
    "column": (lambda: table().select(["z"]), "x1, x2, x3"),
    "array": (lambda: as_blocks(np.ones(3)), "dask.array.from_array"),
    "axes": (lambda: as_blocks(da.ones((2, 2, 2))), "reshape"),
    "cut": (lambda: Joined(table(), generated(rows_of, 3, dim=3), SerialEngine()), "rechunk"),
    "rows": (
        lambda: Joined(table(), generated(lambda i: np.ones((2, 1)), N_BLOCKS, dim=1), SerialEngine()).load(0),
        "same rows",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_tables_are_explained(name):
    call, words = BAD[name]
    with pytest.raises(er.InputError, match=words):
        call()


def test_a_pass_that_is_stopped_keeps_what_it_saw():
    def bar(items, desc, total):
        for i, item in enumerate(items):
            if desc == "blocks" and i == 4 and stops.pop():
                raise KeyboardInterrupt
            yield item

    stops = [True, False]  # the first pass counts the rows, and is left alone
    f = CASES["function"][0]
    with er.progress(bar), pytest.raises(er.Interrupted) as stop:
        er.discover(f, er.actions.affine(3), generated(lambda i: rows_of(i) / 3, N_BLOCKS, dim=3))
    part = stop.value.partial
    assert isinstance(part, er.Symmetry) and part.name == "so(3)" and "partial" in part.decision.reason
    assert (stop.value.done, stop.value.total) == (4, N_BLOCKS)


def test_sums_travel_between_processes():
    reduction = Factored(squared, (3, 2))
    one = reduction.fold(reduction.start(), rows_of(0))
    again = pickle.loads(pickle.dumps((reduction, one)))
    assert np.array_equal(again[1][0].factor(), one[0].factor())


def test_data_of_xarray_are_columns():
    xarray = pytest.importorskip("xarray")
    t, x = np.linspace(0, 1, 5), np.linspace(0, 2, 4)
    u = np.add.outer(t, x**2)
    data = xarray.DataArray(u, coords={"t": t, "x": x}, dims=("t", "x"), name="u")
    for form in (data, data.chunk({"t": 2}), data.to_dataset()):
        blocks = as_blocks(form)
        rows = np.vstack([blocks.load(i) for i in range(blocks.n_blocks)])
        assert blocks.names == ("t", "x", "u")
        assert np.array_equal(rows[:, 2], rows[:, 0] + rows[:, 1] ** 2) and len(rows) == u.size
    sym = er.discover(lambda p: p[:, 0] + p[:, 1] ** 2, er.actions.affine(2), as_blocks(data).select(["t", "x"]))
    assert sym.texts == ("d/dx - 2 x d/dt",)


def test_a_column_that_nobody_selects_may_hold_anything():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"x": [1.0, 2.0], "tag": ["a", "b"], "when": pd.to_datetime(["2020-01-01", "2020-01-02"])})
    blocks = as_blocks(dd.from_pandas(frame, npartitions=1))
    assert np.array_equal(blocks.select(["x"]).load(0), [[1.0], [2.0]])
    for name, words in (("tag", "not numeric"), ("when", "total_seconds")):
        with pytest.raises(er.InputError, match=words):
            blocks.select([name]).load(0)


@pytest.mark.parametrize("dtype", [int, bool, float])
def test_zeros_and_ones_are_labels(dtype):
    x = np.random.default_rng(0).uniform(-1, 1, (1500, 2))
    y = ((x**2).sum(axis=1) < 0.5).astype(dtype)
    field = er.as_field((da.from_array(x, chunks=(500, 2)), da.from_array(y, chunks=500)))
    assert getattr(field, "labels", None) is not None and er.discover(field, er.actions.rotation(2)).dim == 1


def test_masked_values_in_memory_are_missing_too():
    x = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    y = np.ma.masked_where(x[:, 0] > 0, (x**2).sum(axis=1))
    with pytest.raises(er.InputError, match="not finite"):
        er.as_field((x, y))
    with pytest.raises(er.InputError, match="not finite"):
        er.Samples.from_data(np.ma.masked_greater(x, 0.5))
    with pytest.raises(er.InputError, match="number"):
        er.as_field((x + 0j, y.data))


@pytest.mark.parametrize("stopped", [1, 2])
def test_a_pass_that_is_stopped_on_dask_keeps_the_chains_that_are_done(stopped):
    def bar(items, desc, total):
        nonlocal passes
        passes += desc == "blocks"
        for i, item in enumerate(items):
            if passes == stopped and i == 5:
                raise KeyboardInterrupt
            yield item

    passes, blocks = 0, table().on(DaskEngine(workers=2))
    with er.progress(bar), pytest.raises(KeyboardInterrupt) as stop:
        er.discover(CASES["function"][0], er.actions.affine(3), blocks)
    if stopped == 1:  # the pass that counts: nothing to show
        assert not isinstance(stop.value, er.Interrupted)
    else:
        assert isinstance(stop.value.partial, er.Symmetry) and stop.value.done == 5
