"""Tables that are read block by block, from the command line."""

from __future__ import annotations

import json

import pytest
from cli_tables import ball


@pytest.fixture
def folder(tmp_path):
    whole = ball()
    for i in range(3):
        part = whole.iloc[i * len(whole) // 3 : (i + 1) * len(whole) // 3]
        (tmp_path / "parts").mkdir(exist_ok=True)
        part.to_parquet(tmp_path / "parts" / f"{i}.parquet")
    whole.to_parquet(tmp_path / "whole.parquet")
    return tmp_path


def test_a_folder_is_the_table_that_it_holds(call, folder):
    target = ball().columns[-1]
    one = call("discover", "function", folder / "whole.parquet", "--target", target, "--json")
    many = call("discover", "function", folder / "parts", "--target", target, "--json")
    assert one.code == many.code == 0
    one, many = json.loads(one.out), json.loads(many.out)
    assert many["about"]["blocks"] == 3 and one["name"] == many["name"] and one["dim"] == many["dim"]
    assert many["about"]["samples"] == one["about"]["samples"]


MISTAKES = {
    "engine": (("parts", "--engine", "dusk"), "--engine dask"),
    "scheduler": (("parts", "--engine", "serial", "--scheduler", "tcp://x:1"), "Only Dask"),
    "memory": (("parts", "--engine", "memory"), "--engine serial"),
    "column": (("parts", "--inputs", "q"), "no column 'q'"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_explained(call, folder, name):
    (path, *words), said = MISTAKES[name]
    outcome = call("discover", "function", folder / path, "--target", ball().columns[-1], *words)
    assert outcome.code == 2 and said in outcome.err
