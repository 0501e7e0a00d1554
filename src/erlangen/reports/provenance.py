"""Where a result comes from, and what to type to get it again."""

from __future__ import annotations

import hashlib
import html
import platform
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from erlangen._files import files_of, shown_path
from erlangen.reports._page import card, table

PACKAGES = ("erlangen", "numpy", "scipy", "pandas", "scikit-learn", "sympy", "torch", "plotly", "dask")
"""Packages whose versions are told, where they are installed."""

_NEEDED = ("erlangen", "numpy", "scipy", "pandas", "scikit-learn", "sympy")
"""Those that change numbers: a computation is done again with these."""

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
    """

    name: str
    sha256: str
    size: int
    about: str = ""


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
    warnings: tuple[str, ...] = field(default=())

    @property
    def data(self) -> dict[str, str]:
        """The hash of each file or array, by name."""
        return {one.name: one.sha256 for one in self.inputs}

    def card(self) -> str:
        """HTML of the card that ends a page."""
        facts = [
            ("written", self.written),
            ("command", self.command),
            ("seed", "" if self.seed is None else str(self.seed)),
            ("system", self.system),
            ("versions", ", ".join(f"{name} {version}" for name, version in self.versions.items())),
            *(("read", remark) for remark in self.remarks),
            *(("warning", warning) for warning in self.warnings),
        ]
        rows = [(name, text) for name, text in facts if text]
        files = [(one.name, one.about, f"{one.size:,} bytes", one.sha256) for one in self.inputs]
        body = table(("", "what"), rows)
        body += table(("data", "of", "size", "SHA-256"), files) if files else ""
        label = "Commands that do it again"
        body += f"<p>{label}:</p><pre class='scroll' tabindex='0' aria-label='{label}'>{html.escape(self.reproduce)}</pre>"
        return card("Provenance, and how to reproduce this", body, wide=True)


def provenance_of(
    result: Any = None,
    data: Any = None,
    *,
    command: Sequence[str] | str = "",
    seed: int | None = None,
    files: Iterable[Path | str] = (),
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
    files : iterable of path
        Files, or folders of files, that were read; they are named as they are given.
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
    inputs = tuple(_file(path, about) for path in files) or tuple(_arrays(result, data))
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
