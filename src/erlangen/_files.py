"""Writing files so that nothing is lost: atomically, and never over an existing file by accident."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from erlangen._errors import InputError, explain


def write_bytes(path: str | Path, content: bytes, *, force: bool = False) -> None:
    """Write a file completely or not at all; an existing one is kept unless ``force``.

    Raises
    ------
    InputError
        When the file exists and force is not set, or the folder cannot be written to.
    """
    path = Path(path)
    if path.exists() and not force:
        raise InputError(
            explain(
                "The output file exists and is kept as it is.",
                given=str(path),
                expected="a new file name",
                fix="another name, or --force (force=True) to replace it",
            )
        )
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent or ".", prefix=f".{path.name}.")
    except OSError as error:
        raise InputError(
            explain(
                "The output file cannot be written.",
                given=str(path),
                expected="an existing folder that can be written to",
                fix=f"mkdir -p {path.parent} ({error.strerror})",
            )
        ) from None
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def write_text(path: str | Path, text: str, *, force: bool = False) -> None:
    """Write text as UTF-8; see :func:`write_bytes`."""
    write_bytes(path, text.encode("utf-8"), force=force)


def save_arrays(path: str | Path, arrays: Mapping[str, NDArray], *, force: bool = False) -> None:
    """Write arrays as compressed NPZ without pickles; see :func:`write_bytes`."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_bytes(path, buffer.getvalue(), force=force)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
