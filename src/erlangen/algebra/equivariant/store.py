"""Solved maps on disk, keyed by the content of the generators."""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from erlangen._typing import NDArray
from erlangen.algebra.equivariant._sides import Side
from erlangen.linalg.structured import IsotypicBlock, IsotypicSubspace, OrbitSubspace
from erlangen.linalg.subspace import AbstractSubspace, DenseSubspace

_VERSION = 1  # changes where the meaning of what is stored changes


def key_of(sides: tuple[Side, ...], method: str) -> str:
    """Digest of the generators on every factor, the words and the method."""
    digest = hashlib.sha256(f"{_VERSION} {method}".encode())
    factors = {id(f): f for side in sides for f in side.factors}
    number = {key: i for i, key in enumerate(factors)}
    for side in sides:
        digest.update(repr([([number[id(f)] for f in word], count) for word, count in side.words]).encode())
    for factor in factors.values():
        for array in (factor.lie, factor.discrete):
            digest.update(repr(array.shape).encode() + np.ascontiguousarray(array, dtype=np.float64).tobytes())
    return digest.hexdigest()


def read(folder: str | Path, key: str) -> tuple[AbstractSubspace, str] | None:
    """Read what `write` stored; None where there is nothing, or nothing that can be read."""
    path = Path(folder) / f"{key}.npz"
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return _unpack(dict(arrays))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None  # cut short or foreign: it is found again, and written over


def write(folder: str | Path, key: str, subspace: AbstractSubspace, method: str) -> None:
    """Store a result; what cannot be stored by its factors is not."""
    arrays = _pack(subspace)
    if arrays is None:
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    # Written beside and renamed: several processes may share the folder.
    handle, name = tempfile.mkstemp(dir=folder, suffix=".tmp")
    with os.fdopen(handle, "wb") as file:
        np.savez(file, allow_pickle=False, method=np.array(method), reason=np.array(subspace.reason), **arrays)
    os.replace(name, Path(folder) / f"{key}.npz")


def _pack(subspace: AbstractSubspace) -> dict[str, NDArray] | None:
    if isinstance(subspace, OrbitSubspace):
        return {"labels": subspace.labels, "signs": subspace.signs}
    if isinstance(subspace, IsotypicSubspace):
        out = {"shape": np.array(subspace.shape), "count": np.array(len(subspace.blocks))}
        for i, block in enumerate(subspace.blocks):
            out |= {f"left{i}": block.left, f"right{i}": block.right, f"commutant{i}": block.commutant}
        return out
    if isinstance(subspace, DenseSubspace):
        return {"basis": subspace.basis, "singular_values": subspace.singular_values, "gap": np.array(subspace.gap)}
    return None


def _unpack(arrays: dict[str, NDArray]) -> tuple[AbstractSubspace, str]:
    method, reason = str(arrays["method"]), str(arrays["reason"])
    if "labels" in arrays:
        return OrbitSubspace(arrays["labels"], arrays["signs"], reason), method
    if "count" in arrays:
        a, b = (int(n) for n in arrays["shape"])
        names = range(int(arrays["count"]))
        blocks = tuple(IsotypicBlock(arrays[f"left{i}"], arrays[f"right{i}"], arrays[f"commutant{i}"]) for i in names)
        return IsotypicSubspace((a, b), blocks, reason), method
    return DenseSubspace(arrays["basis"], arrays["singular_values"], float(arrays["gap"]), reason), method
