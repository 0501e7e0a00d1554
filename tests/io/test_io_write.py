"""Files are written whole or not at all, and never over an old one unasked."""

from __future__ import annotations

import json
import os
import re
from fractions import Fraction

import numpy as np
import pytest

import erlangen as er
from erlangen._errors import InputError
from erlangen.io import check_target, save_arrays, write_json, write_text

WRITERS = {
    "text": lambda path, **o: write_text(path, "new", **o),
    "json": lambda path, **o: write_json(path, {"a": 1}, **o),
    "arrays": lambda path, **o: save_arrays(path, {"a": np.arange(3.0)}, **o),
}

SYMMETRY = er.discover(lambda x: (x**2).sum(axis=1), samples=er.Samples.box(-1, 1, dim=2))


@pytest.mark.parametrize("kind", WRITERS)
def test_an_old_file_stays_unless_forced(tmp_path, kind):
    path = tmp_path / "out"
    path.write_text("old")
    path.chmod(0o640)
    with pytest.raises(InputError, match="--force"):
        WRITERS[kind](path)
    assert path.read_text() == "old"
    WRITERS[kind](path, force=True)
    assert path.read_bytes() != b"old" and path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("kind", WRITERS)
def test_a_failure_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch, kind):
    path = tmp_path / "out"
    path.write_text("old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("erlangen._files.os.fsync", full)
    with pytest.raises(InputError, match="No space left"):
        WRITERS[kind](path, force=True)
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["out"]


def test_an_interrupt_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "out"
    path.write_text("old")

    def interrupt(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr("erlangen._files.os.replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_text(path, "new", force=True)
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("force", [False, True])
def test_places_that_cannot_be_written(tmp_path, force):
    with pytest.raises(InputError, match="directory"):
        check_target(tmp_path, force)
    with pytest.raises(InputError, match="mkdir -p"):
        check_target(tmp_path / "no" / "out", force)


def test_a_link_is_followed_not_replaced(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    write_text(tmp_path / "link", "new", force=True)
    assert (tmp_path / "real").read_text() == "new" and (tmp_path / "link").is_symlink()


def test_json_holds_arrays_fractions_and_no_nan(tmp_path):
    content = {
        "g": np.eye(2),
        "n": np.int64(3),
        "ok": np.True_,
        "f": Fraction(1, 2),
        "x": [np.nan, -np.inf, 1.5],
        1: ("é",),
    }
    write_json(tmp_path / "a.json", content)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(text) == {
        "g": [[1, 0], [0, 1]],
        "n": 3,
        "ok": True,
        "f": "1/2",
        "x": [None, None, 1.5],
        "1": ["é"],
    }


def test_arrays_come_back_without_pickles(tmp_path):
    save_arrays(tmp_path / "a.npz", {"a": np.arange(3.0), "names": ["x", "y"]})
    with np.load(tmp_path / "a.npz", allow_pickle=False) as found:
        np.testing.assert_array_equal(found["a"], [0, 1, 2])
        assert found["names"].tolist() == ["x", "y"]
    for bad in ({"a": np.array([{}])}, {"file": np.ones(2)}):
        with pytest.raises(InputError):
            save_arrays(tmp_path / "b.npz", bad)
    assert os.listdir(tmp_path) == ["a.npz"]


NO_PATH = {
    "none": (None, "NoneType"),
    "a number": (5, "int"),
    "bytes": (b"a.html", "bytes"),
    "empty": ("", "no name"),
    "dot": (".", "directory"),
    "root": ("/", "directory"),
    "zero byte": ("a\0b.html", "character"),
    "half a character": ("a\ud800.html", "character"),
    "too long": ("a" * 300 + ".html", "too long"),
    "nobody's home": ("~nobody-of-that-name/a.html", "home"),
}


@pytest.mark.parametrize("name", NO_PATH)
@pytest.mark.parametrize("kind", [*WRITERS, "symmetry", "equations", "figure", "report"])
def test_what_is_no_path_is_refused_with_a_lesson(tmp_path, monkeypatch, kind, name):
    monkeypatch.chdir(tmp_path)
    path, told = NO_PATH[name]
    writers = WRITERS | {
        "symmetry": SYMMETRY.save,
        "equations": er.dynamics.Equations.from_text({"x": "-x"}).save,
        "figure": lambda path: er.reports.save_figure(object(), path),
        "report": lambda path: er.report(SYMMETRY, path),
    }
    with pytest.raises(InputError, match="fix:") as refused:
        writers[kind](path)
    assert kind == "figure" or re.search(told, str(refused.value)), refused.value
    assert os.listdir(tmp_path) == []


def test_the_longest_name_is_written(tmp_path):
    path = tmp_path / ("a" * 250 + ".html")
    assert write_text(path, "new").read_text() == "new" and os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("title", [5, ["a"]])
def test_a_title_is_text(tmp_path, title):
    for write in (er.report, er.reports.evidence_page):
        with pytest.raises(InputError, match="title"):
            write(SYMMETRY, tmp_path / "page.html", title=title)
    assert os.listdir(tmp_path) == []
