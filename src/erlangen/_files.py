"""Files written whole or not at all: never half a file, never over an old one unasked."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain

EXAMPLE = 'such as "result.html"'

SHOWN = 60
"""Characters of a name that is refused which an error shows."""


def check_target(path: str | os.PathLike[str], force: bool = False) -> Path:
    """Return the path to write to, or refuse it: call this before long work.

    Parameters
    ----------
    path : str or path
        Where will be written.
    force : bool
        Whether a file that is there may be replaced.

    Returns
    -------
    Path
        The path, resolved.

    Raises
    ------
    InputError
        Where the file exists and `force` is not given, it is a directory, its folder is missing or closed, or no file
        can have this name.
    """
    written = as_path(path)
    try:
        target = Path(os.path.realpath(written.expanduser()))
        problem = _problem(target, force)
    except (OSError, RuntimeError, ValueError) as error:
        what, given = "No file can have this name.", f"{_short(written)}: {_reason(error)}"
        raise InputError(explain(what, given=given, expected="a file name", fix=f"choose another, {EXAMPLE}")) from None
    if problem:
        what, expected, fix = problem
        raise InputError(explain(what, given=str(path), expected=expected, fix=fix))
    return target


def as_path(path: Any) -> Path:
    """Read what was given as the name of a file; nothing is looked up.

    Parameters
    ----------
    path : str or path
        The name.

    Returns
    -------
    Path
        The same.

    Raises
    ------
    InputError
        Where it is neither text nor a path, or empty.
    """
    if not isinstance(path, (str, os.PathLike)) or not isinstance(os.fspath(path), str):
        given, fix = f"{_short(path)} of type {type(path).__name__}", f"the name of a file, {EXAMPLE}"
        raise InputError(explain("This is no path.", given=given, expected="text or a pathlib.Path", fix=fix))
    if not os.fspath(path):
        what, fix = "The file to write has no name.", f"give it one, {EXAMPLE}"
        raise InputError(explain(what, given="an empty text", expected="a file name", fix=fix))
    return Path(path)


def write_text(path: str | os.PathLike[str], text: str, force: bool = False) -> Path:
    """Write text in UTF-8, whole or not at all; see `check_target` for what is refused.

    Parameters
    ----------
    path : str or path
        Where to write.
    text : str
        What to write.
    force : bool
        Whether a file that is there may be replaced.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        Where `check_target` refuses the path, or there is no room on the disk.
    """
    data = text.encode("utf-8")
    return _write(path, lambda stream: stream.write(data), force)


def write_json(path: str | os.PathLike[str], content: Any, force: bool = False) -> Path:
    """Write JSON; arrays become lists, and NaN and inf, which JSON does not have, become null.

    Parameters
    ----------
    path : str or path
        Where to write.
    content : object
        Mappings, sequences, arrays, numbers and text.
    force : bool
        Whether a file that is there may be replaced.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        Where `check_target` refuses the path, or there is no room on the disk.
    """
    return write_text(path, to_json(content) + "\n", force)


def to_json(content: Any) -> str:
    """Print results as JSON.

    Parameters
    ----------
    content : object
        Mappings, sequences, arrays, numbers and text.

    Returns
    -------
    str
        JSON, indented.

    Examples
    --------
    >>> print(to_json({"dim": np.int64(3), "gap": np.inf}))
    {
      "dim": 3,
      "gap": null
    }
    """
    return json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False)


def save_arrays(path: str | os.PathLike[str], arrays: Mapping[str, ArrayLike], force: bool = False) -> Path:
    """Write a compressed NPZ file without pickles.

    Parameters
    ----------
    path : str or path
        Where to write.
    arrays : mapping of str to array_like, of any shape
        The arrays by name.
    force : bool
        Whether a file that is there may be replaced.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        Where `check_target` refuses the path, or an array is neither of numbers nor of text.
    """
    ready: dict[str, Any] = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in ready.items():
        if name in ("file", "allow_pickle"):  # NumPy's own arguments
            given, fix = name, "choose another name"
            raise InputError(explain("This name is taken.", given=given, expected="another name", fix=fix))
        if array.dtype.hasobject:
            fix = "convert it to numbers or text"
            given = f"{name}: dtype {array.dtype}"
            raise InputError(explain("Objects are not saved.", given=given, expected="numbers or text", fix=fix))
    return _write(path, lambda stream: np.savez_compressed(stream, **ready), force)


def _problem(target: Path, force: bool) -> tuple[str, str, str] | None:
    if target.is_dir():
        return "The output is a directory.", "a file name", "add a file name"
    if target.exists() and not force:
        return "The output file exists.", "a new name", "choose another name, or overwrite it with --force (force=True)"
    if not target.parent.is_dir():
        return "There is no such folder.", "a folder that exists", f"mkdir -p {target.parent}"
    if not os.access(target.parent, os.W_OK | os.X_OK):
        return "No right to write there.", "a folder you may write to", "choose another folder"
    return None


def _reason(error: Exception) -> str:
    """Why the system does not take a name, in words."""
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    if isinstance(error, ValueError):  # a zero byte, or half of a pair of surrogates
        return "it has a character that file names cannot have"
    return "there is no such home folder"


def _short(path: Any) -> str:
    told = repr(os.fspath(path) if isinstance(path, os.PathLike) else path)
    return told if len(told) <= SHOWN else f"{told[:SHOWN]}..."


def _write(path: str | os.PathLike[str], fill: Callable[[BinaryIO], object], force: bool) -> Path:
    """Fill a temporary file beside the target, then move it there in one step."""
    target = check_target(path, force)
    part = target.parent / f".{secrets.token_hex(8)}.part"  # without the name, which may be as long as names can be
    try:
        with part.open("xb") as stream:
            fill(stream)
            stream.flush()
            os.fsync(stream.fileno())
        if target.exists():
            os.chmod(part, target.stat().st_mode & 0o777)
        check_target(path, force)  # somebody may have written it meanwhile
        os.replace(part, target)
    except OSError as error:
        given = f"{path}: {error.strerror or error}"
        what = "The file could not be written."
        raise InputError(explain(what, given=given, expected="room on the disk", fix="another folder")) from None
    finally:
        part.unlink(missing_ok=True)
    return target


def _plain(value: Any) -> Any:
    """Turn results into what JSON has."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, (Fraction, Path)):
        return str(value)
    return value
