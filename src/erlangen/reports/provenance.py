"""Where a result comes from, and what to type to get it again."""

from __future__ import annotations

import hashlib
import html
import platform
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from erlangen.fields.trajectories import Trajectories
from erlangen.reports._page import card, table

PACKAGES = ("erlangen", "numpy", "scipy", "pandas", "scikit-learn", "sympy", "torch", "plotly", "dask")
"""Packages whose versions are told, where they are installed."""

_NEEDED = ("erlangen", "numpy", "scipy", "pandas", "scikit-learn", "sympy")
"""Those that change numbers: a computation is done again with these."""

_EXTRA = {"erlangen": "erlangen[report]"}
"""Pages need this extra."""

_CHUNK = 1 << 20
"""Bytes that are hashed at a time."""


@dataclass(frozen=True)
class Data:
    """One file or array that a result was found from.

    Attributes
    ----------
    name : str
        The file as it was typed, or what the array is.
    sha256 : str
        Hash of its bytes.
    size : int
        Bytes.
    about : str
        Rows and columns in words; empty where nothing is known.
    typed : bool
        Whether it is one file whose name was typed, so that ``sha256sum`` finds it again.
    """

    name: str
    sha256: str
    size: int
    about: str = ""
    typed: bool = False


@dataclass(frozen=True)
class Provenance:
    """Where a result comes from.

    Attributes
    ----------
    command : str
        The command line as it was typed, or the call in Python; empty where neither is known.
    versions : mapping of str to str
        Versions of the packages that are installed, and of Python.
    seed : int or None
        Seed of whatever was random.
    inputs : tuple of Data
        Files and arrays with their hashes.
    reproduce : str
        What to type to get the result again.
    written : str
        Date and time, in UTC.
    system : str
        Operating system and processor.
    remarks, warnings : tuple of str
        What was read and fitted on the way, and what should be known about the data.
    """

    command: str
    versions: Mapping[str, str]
    seed: int | None
    inputs: tuple[Data, ...]
    reproduce: str
    written: str
    system: str
    remarks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def data(self) -> dict[str, str]:
        """The hash of each file or array, by name."""
        return {one.name: one.sha256 for one in self.inputs}

    def warned(self) -> list[str]:
        """HTML of the card that opens a page where something about the data should be known first."""
        items = "".join(f"<li>{html.escape(text)}</li>" for text in self.warnings)
        return [card("Warnings", f"<ul>{items}</ul>", wide=True, kind="warn")] if items else []

    def card(self) -> str:
        """HTML of the card that ends a page."""
        facts = [
            ("written", self.written),
            ("command", self.command),
            ("seed", "" if self.seed is None else str(self.seed)),
            ("system", self.system),
            ("versions", ", ".join(f"{name} {version}" for name, version in self.versions.items())),
            *(("read", remark) for remark in self.remarks),
        ]
        rows = [(name, text) for name, text in facts if text]
        files = [(one.name, one.about, f"{one.size:,} bytes", one.sha256) for one in self.inputs]
        body = table(("", "what"), rows)
        body += table(("data", "of", "size", "SHA-256"), files) if files else ""
        label, text = "Commands that do it again", html.escape(self.reproduce)
        copy = f"<button type='button' data-copy='{text}'>Copy</button>"
        body += f"<p>{label}: {copy}</p><pre role='region' tabindex='0' aria-label='{label}'>{text}</pre>"
        return card("Provenance, and how to reproduce this", body, wide=True, kind="source")


def provenance_of(
    result: Any = None,
    data: Any = None,
    *,
    command: Sequence[str] | str = "",
    seed: int | None = None,
    files: Mapping[str, Path] | None = None,
    about: str = "",
    remarks: Iterable[str] = (),
    warnings: Iterable[str] = (),
) -> Provenance:
    """State where a result comes from: versions, seed, command, and hashes of the data.

    Parameters
    ----------
    result : optional
        What was found; its points are hashed where there are no files.
    data : array, Trajectories, field, or tuple of these, optional
        What it was found from; arrays are hashed as C-ordered float64.
    command : sequence of str, or str
        Words of a command line, which are quoted for a shell; or a call in Python, which stays as it is.
    seed : int, optional
        Seed of whatever was random.
    files : mapping of str to Path, optional
        Files, or folders of files, that were read, by the names to be shown: those that were typed.
    about : str
        Rows and columns of the files, in words.
    remarks, warnings : iterable of str
        What was read and fitted on the way, and what should be known about the data.

    Returns
    -------
    Provenance

    Examples
    --------
    >>> found = provenance_of(data=np.zeros((3, 2)), command=["erlangen", "demo", "--body", "a b"], seed=0)
    >>> found.command
    "erlangen demo --body 'a b'"
    >>> found.inputs[0].about, found.data["points"][:8]
    ('3 x 2 numbers', '17b0761f')
    """
    line = command if isinstance(command, str) else shlex.join(command)
    shell = not isinstance(command, str)
    inputs = tuple(_file(name, path, about) for name, path in (files or {}).items()) or tuple(_arrays(result, data))
    versions = installed()
    return Provenance(
        command=line,
        versions=versions,
        seed=seed,
        inputs=inputs,
        reproduce=_reproduce(line, shell, versions, inputs),
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        system=f"{platform.system()} {platform.machine()}",
        remarks=tuple(remarks),
        warnings=tuple(warnings),
    )


def installed() -> dict[str, str]:
    """Versions of Python and of the `PACKAGES` that are installed; none of them is imported."""
    found = {"Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _file(name: str, path: Path, about: str) -> Data:
    """A file, or all files of a folder: then the hash is that of their names and hashes, in order."""
    typed, path = str(path) == name, path.expanduser()
    if not path.is_dir():
        return Data(name, _hashed(path), path.stat().st_size, about, typed)
    parts = sorted(part for part in path.rglob("*") if part.is_file())
    whole = hashlib.sha256()
    for part in parts:
        whole.update(f"{part.relative_to(path).as_posix()} {_hashed(part)}\n".encode())
    told = f"{len(parts)} files" + (f"; {about}" if about else "")
    return Data(name, whole.hexdigest(), sum(part.stat().st_size for part in parts), told)


def _hashed(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(_CHUNK):
            found.update(piece)
    return found.hexdigest()


def _arrays(result: Any, data: Any) -> Iterator[Data]:
    """What the result was found from, or else what it says that it was found from."""
    lie = getattr(result, "lie", None)
    sources = (data, getattr(lie, "field", None), getattr(lie, "samples", None), result)
    return next((iter(found) for source in sources if (found := _of_one(source, "points"))), iter(()))


def _of_one(source: Any, name: str) -> list[Data]:
    if isinstance(source, tuple):
        names = ("points", "values", "times")
        return [one for k, part in enumerate(source) for one in _of_one(part, names[k] if k < 3 else f"array {k + 1}")]
    if isinstance(source, Trajectories):
        parts = [np.column_stack([run.time, run.states, run.controls]) for run in source.runs]
        runs = f"{source.n_runs} run{'s' * (source.n_runs > 1)}"
        return [_array(f"{runs} of t, {', '.join((*source.names, *source.controls))}", np.vstack(parts))]
    array = source if isinstance(source, np.ndarray) else getattr(source, "points", None)
    numeric = isinstance(array, np.ndarray) and array.dtype.kind in "fiub" and array.size
    return [_array(name, array)] if numeric else []


def _array(name: str, array: Any) -> Data:
    plain = np.ascontiguousarray(array, dtype=np.float64)
    shape = " x ".join(str(k) for k in plain.shape)
    return Data(name, hashlib.sha256(plain.tobytes()).hexdigest(), plain.nbytes, f"{shape} numbers")


def _reproduce(command: str, shell: bool, versions: Mapping[str, str], inputs: tuple[Data, ...]) -> str:
    wanted = [f'"{_EXTRA.get(name, name)}=={versions[name]}"' for name in _NEEDED if name in versions]
    lines = [f"python -m pip install {' '.join(wanted)}"]
    if shell:
        lines += [f"sha256sum {shlex.quote(one.name)}  # {one.sha256}" for one in inputs if one.typed]
        return "\n".join([*lines, command])
    checks = [f"# {one.sha256}  {one.name}" for one in inputs]
    how = "# hashlib.sha256(np.ascontiguousarray(points, dtype=float).tobytes()).hexdigest() of the data:"
    return "\n".join([*lines, *([how, *checks] if checks else []), *([command] if command else [])])
