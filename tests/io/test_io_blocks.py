"""Folders, Parquet and Zarr read in blocks are the table that was written."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import erlangen as er

N = 90


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    x = np.random.default_rng(0).uniform(-1, 1, (N, 2))
    return pd.DataFrame({"x": x[:, 0], "y": x[:, 1], "energy": (x**2).sum(axis=1), "label": ["a"] * N})


def write_parquet_file(table, folder):
    table.to_parquet(folder / "one.parquet", row_group_size=40)
    return folder / "one.parquet", 3


def write_parquet_folder(table, folder):
    for i in range(3):
        (folder / f"day={i}").mkdir()
        table[30 * i : 30 * (i + 1)].to_parquet(folder / f"day={i}" / "part.parquet")
    (folder / "_SUCCESS").write_text("")
    return folder, 3


def write_csv_folder(table, folder):
    for i in range(2):
        table[45 * i : 45 * (i + 1)].to_csv(folder / f"part{i}.csv", index=False)
    return folder, 2


def write_zarr(table, folder):
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(folder / "store.zarr", mode="w")
    for name in ("x", "y", "energy"):
        group.create_array(name, data=table[name].to_numpy(), chunks=(50,))
    return folder / "store.zarr", 1  # 90 rows are less than a block


@pytest.mark.parametrize("write", [write_parquet_file, write_parquet_folder, write_csv_folder, write_zarr])
def test_blocks_are_the_table(write, table, tmp_path):
    path, count = write(table, tmp_path)
    blocks = er.read_blocks(path, "energy, x")
    assert (blocks.n_blocks, blocks.names) == (count, ("energy", "x"))
    rows = np.vstack([blocks.load(i) for i in range(count)])
    # pandas before 3 reads text with an error of the last digit of numbers near one
    np.testing.assert_allclose(rows, table[["energy", "x"]], rtol=0, atol=2 * np.finfo(float).eps)


def test_zarr_arrays_are_read_by_whole_chunks(tmp_path, monkeypatch):
    zarr = pytest.importorskip("zarr")
    monkeypatch.setattr("erlangen.io.blocks.ROWS", 25)
    x = np.arange(130.0).reshape(65, 2)
    zarr.create_array(store=tmp_path / "x.zarr", data=x, chunks=(10, 2))
    blocks = er.read_blocks(tmp_path / "x.zarr")
    assert [len(blocks.load(i)) for i in range(blocks.n_blocks)] == [20, 20, 20, 5] and blocks.names == ("x1", "x2")
    assert np.array_equal(np.vstack([blocks.load(i) for i in range(4)]), x)


def test_a_symmetry_is_found_in_a_folder(table, tmp_path):
    path, _ = write_parquet_folder(table, tmp_path)
    blocks = er.read_blocks(path, "x,y,energy")
    sym = er.discover((blocks.select(["x", "y"]), blocks.select(["energy"])), er.actions.rotation(2))
    assert sym.dim == 1 and sym.coordinates == ("x", "y")


def test_rows_that_are_not_finite_are_refused_or_left_out(table, tmp_path):
    table.assign(y=table["y"].where(table.index != 7)).to_parquet(tmp_path / "t.parquet")
    assert len(er.read_blocks(tmp_path / "t.parquet", "x,y", drop_nan=True).load(0)) == N - 1
    with pytest.raises(er.InputError, match=r"in row group 1 of t\.parquet"):
        er.Samples.from_blocks(er.read_blocks(tmp_path / "t.parquet", "x,y"))


BAD = {
    "column": (lambda folder: er.read_blocks(folder, "enrgy"), "did you mean 'energy'"),
    "text": (lambda folder: er.read_blocks(folder, "label").load(0), "not numeric"),
    "empty": (lambda folder: er.read_blocks(folder / "none"), "no files"),
    "missing": (lambda folder: er.read_blocks(folder / "absent"), "no such file"),
    "broken": (lambda folder: er.read_blocks(folder / "broken.parquet"), "Parquet"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_folders_are_explained(name, table, tmp_path):
    call, words = BAD[name]
    (tmp_path / "none").mkdir()
    if name in ("column", "text"):
        write_csv_folder(table, tmp_path)
    if name == "broken":
        (tmp_path / "broken.parquet").write_bytes(b"nothing of the kind")
    with pytest.raises(er.InputError, match=words):
        call(tmp_path)


def test_a_labelled_field_brings_its_times(tmp_path):
    xarray = pytest.importorskip("xarray")
    from erlangen.dynamics._labelled import labelled_field

    t, x = np.linspace(0, 1, 6), np.arange(8) / 4
    u = xarray.DataArray(np.outer(np.sin(np.pi * x), t), coords={"x": x, "time": t}, dims=("x", "time"))
    values, times = labelled_field(u, 2.0)
    assert np.array_equal(values, u.values.T) and np.array_equal(times, t)
    dated = u.assign_coords(time=np.datetime64("2000-01-01") + np.arange(6) * np.timedelta64(500, "ms"))
    assert np.allclose(labelled_field(dated, 2.0)[1], 0.5 * np.arange(6))
    for bad in (u.rename(time="step"), u.isel(time=0), u.isel(x=slice(0, 5)), u.assign_coords(x=x**2)):
        with pytest.raises(er.InputError, match="fix"):
            labelled_field(bad, 2.0)


def test_files_of_a_folder_are_runs(tmp_path):
    t = np.linspace(0, 1, 5)
    for i in range(3):
        pd.DataFrame({"t": t, "x": np.cos(t + i), "v": -np.sin(t + i)}).to_csv(tmp_path / f"run{i}.csv", index=False)
    flow = er.read_trajectories(tmp_path, "t")
    assert flow.n_runs == 3 and flow.names == ("x", "v") and np.allclose(flow.runs[2].states[:, 0], np.cos(t + 2))
    with pytest.raises(er.InputError, match="no column 'run'"):
        er.read_trajectories(tmp_path, "t", "run")
    (tmp_path / "run3.csv").write_text("t,y\n0,1\n1,2\n")
    with pytest.raises(er.InputError, match=r"run3\.csv has other columns"):
        er.read_trajectories(tmp_path, "t")


def test_a_grid_in_zarr_is_no_table(tmp_path):
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(tmp_path / "grid.zarr", mode="w")
    for name, data in (("a", np.arange(4.0)), ("b", np.arange(4.0)), ("u", np.ones((4, 4)))):
        group.create_array(name, data=data)
    with pytest.raises(er.InputError, match="open_zarr"):
        er.read_blocks(tmp_path / "grid.zarr", "a,b")
