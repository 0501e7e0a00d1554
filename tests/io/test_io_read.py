"""Files: every format gives the same table, and every bad input one message that says what and where."""

from __future__ import annotations

import builtins
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

from erlangen._errors import InputError, MissingExtraError
from erlangen.data import planets_path
from erlangen.io import (
    DataWarning,
    read_cloud,
    read_function_table,
    read_generators,
    read_table,
    read_trajectories,
)

T = np.linspace(0, 1, 12)
LAST_DIGIT = 1e-14
"""pandas before its version 3 may miss the last digit of a number in a text."""

FRAME = pd.DataFrame(
    {
        "run": np.repeat(["a", "b", "c"], 12),
        "t": np.tile(T, 3),
        "x": np.concatenate([np.cos(T + k) for k in range(3)]),
        "y": np.concatenate([np.sin(T + k) for k in range(3)]),
    }
)


def arrays():
    return {name: FRAME[name].to_numpy(dtype=str if name == "run" else float) for name in FRAME}


def save_hdf5(path):
    import h5py

    with h5py.File(path, "w") as store:
        for name, array in arrays().items():
            store.create_dataset(f"lab/{name}", data=array.astype("S") if name == "run" else array)


def save_netcdf(path, engine="h5netcdf"):
    import xarray

    xarray.Dataset({name: ("sample", array) for name, array in arrays().items()}).to_netcdf(path, engine=engine)


FORMATS = {
    "comma.csv": lambda p: FRAME.to_csv(p, index=False),
    "semicolon.csv": lambda p: FRAME.to_csv(p, index=False, sep=";"),
    "bom.csv": lambda p: FRAME.to_csv(p, index=False, encoding="utf-8-sig"),
    "spaces.csv": lambda p: p.write_text(FRAME.to_csv(index=False).replace(",", " , ")),
    "windows.csv": lambda p: p.write_bytes(FRAME.to_csv(index=False).replace("\n", "\r\n").encode()),
    "quoted.csv": lambda p: FRAME.to_csv(p, index=False, quoting=1),
    "tab.tsv": lambda p: FRAME.to_csv(p, index=False, sep="\t"),
    "tab.txt": lambda p: FRAME.to_csv(p, index=False, sep="\t"),
    "blank.dat": lambda p: FRAME.to_csv(p, index=False, sep=" "),
    "table.parquet": lambda p: FRAME.to_parquet(p),
    "UPPER.NPZ": lambda p: np.savez(p.open("wb"), **arrays()),
    "table.h5": save_hdf5,
    "table.nc": save_netcdf,
    "classic.nc": lambda p: save_netcdf(p, "scipy"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_trajectories(tmp_path, name):
    FORMATS[name](tmp_path / name)
    flow = read_trajectories(tmp_path / name, time="t", group="run", state="x, y")
    assert flow.groups == ("a", "b", "c") and flow.names == ("x", "y")
    np.testing.assert_allclose(flow.points, FRAME[["x", "y"]], rtol=LAST_DIGIT)
    np.testing.assert_allclose(flow.times, FRAME["t"], rtol=LAST_DIGIT)


def test_planets_are_read_as_a_users_file_is():
    flow = read_trajectories(planets_path(), time="t", group="body")
    assert flow.n_runs == 9 and flow.names == ("x", "y", "z", "vx", "vy", "vz")
    assert planets_path().stat().st_size < 1e6
    q, v = flow.points[:, :3], flow.points[:, 3:]
    energy = (v**2).sum(axis=1) / 2 - 1 / np.linalg.norm(q, axis=1)
    momentum = np.cross(q, v)
    for j, run in enumerate(flow.runs):
        mine = flow.run_index == j
        assert len(run.time) <= 1100 and run.time[-1] <= 0.01720209895 * 150 * 365.25
        assert energy[mine].std() < 5e-3 * -energy[mine].mean()
        assert momentum[mine].std(axis=0).max() < 2e-3 * np.linalg.norm(momentum[mine].mean(axis=0))
    inner = flow.run_index < 5
    np.testing.assert_allclose(flow.derivative_estimates()[inner, :3], v[inner], atol=5e-6)


def csv(text):
    return lambda path: path.write_text(text, encoding="utf-8")


HEAD = "run,t,x,y\n"
GOOD = "a,0,1,2\na,1,2,3\na,2,4,3\n"
# file name, how it is made, what the message must say
BAD_FILES = {
    "empty": ("e.csv", lambda p: p.touch(), "The file is empty"),
    "directory": ("d.csv", lambda p: p.mkdir(), "a directory"),
    "missing": ("m.csv", lambda p: p.with_name("n.csv").write_text("x\n1\n"), "did you mean 'n.csv'"),
    "ending": ("a.cvs", csv(HEAD + GOOD), "did you mean .csv"),
    "no ending": ("a", csv(HEAD + GOOD), "ending"),
    "pickle": ("a.pkl", lambda p: p.write_bytes(pickle.dumps({})), "ending"),
    "binary": ("a.csv", lambda p: p.write_bytes(bytes(range(256)) * 9), "not text"),
    "latin": ("a.csv", lambda p: p.write_bytes(b"t,gr\xf6\xdfe\n1,2\n"), "save it as UTF-8.*latin-1"),
    "comments": ("a.csv", csv("# made by hand\nt,x\n0,1\n"), "(?s)start with #.*'# made by hand'.*comment='#'"),
    "two comments": ("a.csv", csv("# a, b\n# 1, 2\n0,1\n"), "taken as the header"),
    "blank": ("a.csv", csv("\n\n  \n"), "a.csv"),
    "header only": ("a.csv", csv(HEAD), "0 rows"),
    "no header": ("a.csv", csv("0,1,2,3\n1,2,3,4\n"), "add a first row of names"),
    "repeated column": ("a.csv", csv("t,x,x\n1,2,3\n"), "Column names repeat"),
    "long row": ("a.csv", csv(HEAD + GOOD + "a,3,4,5,6\n"), "4 entries in each row"),
    "not parquet": ("a.parquet", csv(HEAD + GOOD), "Parquet"),
    "not npz": ("a.npz", csv(HEAD + GOOD), "NPZ"),
    "half npz": ("a.npz", lambda p: p.write_bytes(b"PK\x03\x04" + bytes(50)), "NPZ"),
    "objects": ("a.npz", lambda p: np.savez(p, t=np.array([{}, []], dtype=object)), "never loaded"),
    "plain pickle": ("a.npz", lambda p: p.write_bytes(pickle.dumps([1, 2])), "NPZ"),
    "lengths": ("a.npz", lambda p: np.savez(p, t=np.ones(3), x=np.ones(4)), "differ in length"),
    "axes": ("a.npz", lambda p: np.savez(p, t=np.ones((2, 3, 4))), "too many axes"),
    "scalar npz": ("a.npz", lambda p: np.savez(p, t=1.0), "The table is empty"),
    "not hdf5": ("a.h5", csv(HEAD + GOOD), "HDF5"),
    "not netcdf": ("a.nc", csv(HEAD + GOOD), "NetCDF"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_file(tmp_path, case):
    name, make, said = BAD_FILES[case]
    make(tmp_path / name)
    refused(said, read_table, tmp_path / name)


def refused(said, call, *args, **options):
    with pytest.raises(InputError, match=said) as error:
        call(*args, **options)
    text = str(error.value)
    assert text.count("\n") == 3 and len(text) < 600, text


ROLES = {"time": "t", "group": "run"}
BAD_TRAJECTORIES = {
    "misspelt time": (GOOD, {"time": "tt"}, "did you mean 't'"),
    "misspelt case": (GOOD, {"time": "T"}, "did you mean 't'"),
    "misspelt group": (GOOD, {"group": "runs"}, "did you mean 'run'"),
    "misspelt state": (GOOD, {"state": "x,z"}, "(?s)no column 'z'.*run, t, x, y"),
    "state twice": (GOOD, {"state": "x,x"}, "named twice"),
    "state is time": (GOOD, {"state": "x,t"}, "two roles"),
    "empty name": (GOOD, {"state": "x,,y"}, "empty"),
    "nan": (GOOD + "a,3,nan,2\na,4,,2\n", {}, "(?s)2 of 5 rows, in rows 4, 5.*columns x.*drop-nan"),
    "inf": (GOOD + "a,3,inf,2\n", {}, "1 of 4 rows, in row 4"),
    "nan time": (GOOD + "a,,1,2\n", {}, "columns t"),
    "nan group": (GOOD + ",3,1,2\n", {}, "columns run"),
    "text": (GOOD + "a,3,oops,2\n", {}, "(?s)'x' is not numeric.*'oops' in row 4"),
    "decimal comma": (GOOD + 'a,3,"1,5",2\n', {}, r"decimal points.*read_csv\(path, sep=';', decimal=','\)\.to_csv"),
    "decimal comma, 3 digits": (GOOD + 'a,3,"1,523",2\n', {}, "decimal points"),
    "points of thousands": (GOOD + 'a,3,"1.572,64",2\n', {}, r"decimal=',', thousands='\.'"),
    "thousands": (GOOD + 'a,3,"1,572.64",2\n', {}, r"commas between thousands.*read_csv\(path, thousands=','\)"),
    "marks": (GOOD + "a,3,--,2\n", {}, "(?s)'--' in row 4.*missing entries empty.*--drop-nan"),
    "comment below": (GOOD + "a,3,2,2\na,4,# pause,2\n", {}, "comment='#'"),
    "dates": ("a,01.01.2024 00:00,1,2\na,02.01.2024 00:00,2,2\n", {}, "ISO 8601 dates, such as 2024-01-31 00:00"),
    "text state": ("a,0,1,on\na,1,2,off\n", {}, r"(?s)'y' is not numeric.*--state x \(state=\).*--group"),
    "unsorted": (GOOD + "a,1.5,1,1\n", {}, "(?s)decrease in run 'a'.*row 4.*sort"),
    "repeated": (GOOD + "a,2,1,1\n", {}, "(?s)repeat in run 'a'.*row 4"),
    "group forgotten": (GOOD + GOOD.replace("a", "b"), {"group": None, "state": "x,y"}, "(?s)row 4.*--group"),
    "one sample": (GOOD + "b,1,1,1\n", {}, "(?s)1 of 2 runs have one sample.*b"),
    "group is time": (GOOD, {"group": "t", "state": "x,y"}, "3 of 3 runs have one sample"),
    "short row": (GOOD + "a,3\n", {}, "columns x, y"),
}


@pytest.mark.parametrize("case", BAD_TRAJECTORIES)
def test_bad_trajectories(tmp_path, case):
    body, roles, said = BAD_TRAJECTORIES[case]
    (tmp_path / "a.csv").write_text(HEAD + body)
    refused(said, read_trajectories, tmp_path / "a.csv", **(ROLES | roles))


def test_controls_and_parameters_are_read(tmp_path):
    (tmp_path / "a.csv").write_text("run,t,x,u,k\na,0,1,3,9\na,1,2,4,9\nb,0,5,6,8\nb,2,7,5,8\n")
    flow = read_trajectories(tmp_path / "a.csv", "t", "run", controls="u", parameters="k")
    assert flow.names == ("x",) and flow.controls == ("u", "k")
    np.testing.assert_array_equal(flow.inputs, [[3, 9], [4, 9], [6, 8], [5, 8]])
    refused("within run 'a'", read_trajectories, tmp_path / "a.csv", "t", "run", parameters="u, k")


def test_dropping_nan_says_how_many_and_keeps_the_rest(tmp_path):
    (tmp_path / "a.csv").write_text(HEAD + GOOD + "a,3,nan,2\na,4,5,7\n")
    with pytest.warns(DataWarning, match="Dropped 1 of 5 rows, in row 4"):
        flow = read_trajectories(tmp_path / "a.csv", **ROLES, drop_nan=True)
    np.testing.assert_array_equal(flow.times, [0, 1, 2, 4])


def test_rows_are_named_as_in_the_file_after_dropping(tmp_path):
    (tmp_path / "a.csv").write_text(HEAD + "a,0,nan,2\n" + GOOD + "a,1.5,1,1\n")
    with pytest.warns(DataWarning):
        refused("row 5", read_trajectories, tmp_path / "a.csv", **ROLES, drop_nan=True)


def test_nothing_left_after_dropping(tmp_path):
    (tmp_path / "a.csv").write_text(HEAD + "a,0,nan,2\na,1,nan,2\n")
    with pytest.warns(DataWarning):
        refused("No row is left", read_trajectories, tmp_path / "a.csv", **ROLES, drop_nan=True)


def test_constant_columns_are_reported(tmp_path):
    (tmp_path / "a.csv").write_text("t,x,m\n0,1,5\n1,2,5\n2,4,5\n")
    with pytest.warns(DataWarning, match="Constant columns: m"):
        flow = read_trajectories(tmp_path / "a.csv", time="t")
    assert flow.constant_columns() == ("m",)
    with pytest.warns(DataWarning, match="Constant columns: m"):
        read_function_table(tmp_path / "a.csv", target="x")
    with pytest.warns(DataWarning, match="Constant columns: m"):
        read_cloud(tmp_path / "a.csv")
    refused("never changes", read_function_table, tmp_path / "a.csv", target="m")


def test_good_data_are_read_without_a_word(tmp_path):
    FRAME.to_csv(tmp_path / "a.csv")  # with pandas' nameless index column, which is not data
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_trajectories(tmp_path / "a.csv", time="t", group="run").names == ("x", "y")


@pytest.mark.parametrize("labels", [[1, 1, 2, 2], [1.0, 1.0, 2.0, 2.0]])
def test_numeric_labels_of_runs_are_plain_integers(tmp_path, labels):
    np.savez(tmp_path / "a.npz", run=labels, t=[0.0, 1, 0, 1], x=[1.0, 2, 3, 4])
    assert repr(read_trajectories(tmp_path / "a.npz", time="t", group="run").groups) == "(1, 2)"


def test_dates_become_seconds(tmp_path):
    (tmp_path / "a.csv").write_text("t,x\n2026-01-01T00:00:00Z,1\n2026-01-01T00:01:00Z,2\n2026-01-02,3\n")
    np.testing.assert_array_equal(read_trajectories(tmp_path / "a.csv", time="t").times, [0, 60, 86400])


def test_matrix_of_an_npz_becomes_columns(tmp_path):
    X = np.random.default_rng(0).normal(size=(7, 3))
    np.savez(tmp_path / "a.npz", X=X, y=X[:, 0], note=1.0)
    x, y, names = read_function_table(tmp_path / "a.npz", target="y")
    assert names == ("X1", "X2", "X3")
    np.testing.assert_allclose(x, X, rtol=LAST_DIGIT)
    np.testing.assert_allclose(y, X[:, 0], rtol=LAST_DIGIT)


def test_function_table_and_cloud(tmp_path):
    FRAME.to_csv(tmp_path / "a.csv", index=False)
    x, y, names = read_function_table(tmp_path / "a.csv", inputs=["y", "x"], target="t")
    assert names == ("y", "x") and x.shape == (36, 2) and y.shape == (36,)
    assert read_function_table(tmp_path / "a.csv", "x", "y,t")[1].shape == (36, 2)
    cloud, names = read_cloud(tmp_path / "a.csv", "x,y")
    np.testing.assert_allclose(cloud, FRAME[["x", "y"]], rtol=LAST_DIGIT)
    refused("No target", read_function_table, tmp_path / "a.csv")
    refused("did you mean 'x'", read_function_table, tmp_path / "a.csv", inputs="xx", target="y")
    refused("two roles", read_function_table, tmp_path / "a.csv", inputs="x,y", target="y")
    refused("'run' is not numeric", read_function_table, tmp_path / "a.csv", target="y")
    refused("'run' is not numeric", read_cloud, tmp_path / "a.csv")


def test_cloud_drops_or_refuses_nan(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,2\nnan,3\n4,5\n")
    refused("1 of 3 rows, in row 2", read_cloud, tmp_path / "a.csv")
    with pytest.warns(DataWarning):
        assert read_cloud(tmp_path / "a.csv", drop_nan=True)[0].shape == (2, 2)
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    refused("Too few rows", read_cloud, tmp_path / "a.csv")


@pytest.mark.parametrize(("name", "package"), [("a.h5", "h5py"), ("a.nc", "xarray"), ("a.parquet", "pyarrow")])
def test_missing_package_names_the_extra(tmp_path, monkeypatch, name, package):
    FORMATS[{"a.h5": "table.h5", "a.nc": "table.nc", "a.parquet": "table.parquet"}[name]](tmp_path / name)
    real = builtins.__import__

    def absent(module, *args, **options):
        if module.split(".")[0] == package:
            raise ImportError(module)
        return real(module, *args, **options)

    def no_spec(module):
        return None if module == package else object()

    monkeypatch.setattr(builtins, "__import__", absent)
    monkeypatch.setattr("erlangen.io.tables.find_spec", no_spec)
    monkeypatch.setattr(pd, "read_parquet", lambda path: absent("pyarrow"))
    with pytest.raises(MissingExtraError, match="pip install"):
        read_table(tmp_path / name)


def test_netcdf_of_several_tables_is_refused(tmp_path):
    import xarray

    data = xarray.Dataset({"x": ("a", np.arange(30.0)), "y": ("b", np.arange(40.0))})
    data.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    refused("not columns of one table", read_table, tmp_path / "a.nc")


def test_netcdf_grid_is_flattened_with_its_coordinates(tmp_path):
    import xarray

    grid = xarray.Dataset({"f": (("x", "y"), np.arange(6.0).reshape(2, 3))}, {"x": [0.5, 1.5], "y": [1.0, 2.0, 3.0]})
    grid.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    x, f, names = read_function_table(tmp_path / "a.nc", target="f")
    assert names == ("x", "y")
    np.testing.assert_array_equal(x[:4], [[0.5, 1], [0.5, 2], [0.5, 3], [1.5, 1]])
    np.testing.assert_array_equal(f, np.arange(6.0))


ROT = np.array([[0.0, -1.0], [1.0, 0.0]])


def test_generators(tmp_path):
    path = tmp_path / "g.npz"
    np.savez(path, generators=np.stack([ROT, np.eye(2)]), names=["rotation", "scaling"], other=np.ones((3, 3)))
    found = read_generators(path)
    assert found.names == ("rotation", "scaling") and found.exponents is None
    np.testing.assert_array_equal(found.matrices, [ROT, np.eye(2)])
    np.savez(path, whatever=ROT)
    np.testing.assert_array_equal(read_generators(path).matrices, [ROT])
    np.savez(path, exponents=[[1, 0], [0, 1]], coefficients=ROT[None])
    fields = read_generators(path)
    assert fields.matrices is None and fields.coefficients.shape == (1, 2, 2)


BAD_GENERATORS = {
    "none": ({"x": np.ones(3)}, "not found"),
    "not square": ({"generators": np.ones((2, 3, 4))}, "not found"),
    "several": ({"a": ROT, "b": ROT}, "not found"),
    "nan": ({"generators": ROT * np.nan}, "NaN or inf"),
    "complex": ({"generators": 1j * ROT}, "not real"),
    "names": ({"generators": ROT, "names": ["a", "b"]}, "2 names, 1 generators"),
    "exponents": ({"exponents": [[1, 0, 2]], "coefficients": ROT[None]}, "do not fit"),
    "negative": ({"exponents": [[1, 0], [0, -1]], "coefficients": ROT[None]}, "do not fit"),
    "fractions": ({"exponents": [[0.5, 0], [0, 1]], "coefficients": ROT[None]}, "do not fit"),
    "objects": ({"generators": np.array([None])}, "never loaded"),
}


@pytest.mark.parametrize("case", BAD_GENERATORS)
def test_bad_generators(tmp_path, case):
    content, said = BAD_GENERATORS[case]
    np.savez(tmp_path / "g.npz", **content)
    refused(said, read_generators, tmp_path / "g.npz")


def test_names_may_stand_behind_a_mark_of_comments(tmp_path):
    (tmp_path / "a.csv").write_text("#t,x\n0,1\n1,2\n")
    assert list(read_table(tmp_path / "a.csv").columns) == ["#t", "x"]


def test_text_among_inputs_names_the_option(tmp_path):
    (tmp_path / "a.csv").write_text("x,colour,f\n0,red,1\n1,blue,2\n2,red,4\n")
    refused(r"--inputs x \(inputs=\)", read_function_table, tmp_path / "a.csv", target="f")
    refused(r"--columns x,f \(columns=\)", read_cloud, tmp_path / "a.csv")
