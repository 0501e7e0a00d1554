"""What stands on this machine: packages, linear algebra, devices, memory. Nothing here raises."""

from __future__ import annotations

import contextlib
import importlib
import os
import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

NOT_LISTED = ("dev", "docs", "bench", "all")
"""Extras that are for work on erlangen itself, and the one that only gathers others."""

MODULES = {"scikit-learn": "sklearn"}
"""Import names that are not the names of the packages."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

_REQUIREMENT = re.compile(r"^(?P<name>[\w.-]+)\s*(\[[^\]]*\])?\s*\(?(?P<range>[^;)]*)\)?\s*(;(?P<marker>.*))?$")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([\w-]+)['\"]")


@dataclass(frozen=True)
class Package:
    """A package that erlangen needs, or can use.

    Attributes
    ----------
    name, required : str
        Its name, and the versions that are asked for.
    version : str
        The version that is installed; empty where it is not.
    error : str
        What importing it raised, or that it is too old; empty where it is well.
    """

    name: str
    required: str
    version: str
    error: str

    @property
    def state(self) -> str:
        """``"well"``, ``"missing"`` or ``"broken"``."""
        return "missing" if not self.version else "broken" if self.error else "well"

    def __str__(self) -> str:
        return f"{self.name} {self.version or 'missing'}" + (f" ({self.error})" if self.error else "")


def packages(name: str = "erlangen") -> dict[str, list[Package]]:
    """What a distribution asks for, by extra; what it always needs stands under the empty name.

    Read from the metadata that were installed with it, so that the lines cannot differ from what pip would do.
    """
    found: dict[str, list[Package]] = {"": []}
    try:
        lines = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return found
    for line in lines:
        parts = _REQUIREMENT.match(line.strip())
        if parts is None or parts["name"] == name:
            continue
        extra = _EXTRA.search(parts["marker"] or "")
        group = extra.group(1) if extra else ""
        if group not in NOT_LISTED:
            found.setdefault(group, []).append(examine(parts["name"], (parts["range"] or "").strip()))
    return found


def examine(name: str, required: str = "") -> Package:
    """Look up and import a package; whatever importing it raises is kept as words."""
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Package(name, required, "", "")
    try:
        with _silent():
            importlib.import_module(MODULES.get(name.lower(), name.replace("-", "_")))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a package that is broken may raise anything, SystemExit included
        return Package(name, required, version, f"cannot be imported: {type(error).__name__}: {_line(error)}")
    least = re.search(r">=\s*([\d.]+)", required)
    old = least is not None and _numbers(version) < _numbers(least.group(1))
    return Package(name, required, version, f"too old, {required} is asked for" if old else "")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


def _numbers(version: str) -> tuple[int, ...]:
    leading = re.match(r"\d+(\.\d+)*", version)
    parts = [int(part) for part in leading.group().split(".")] if leading else []
    while parts and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep what packages print on import off the answer."""
    import io
    import warnings

    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def machine() -> dict[str, Any]:
    """Operating system, interpreter, cores and memory; what cannot be found out is None."""
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "system": platform.platform(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "cores": os.cpu_count(),
        "usable_cores": len(affinity(0)) if affinity is not None else os.cpu_count(),
        "memory_gb": _memory(),
    }


def _memory() -> float | None:
    """Memory in GB: of the machine, or less where a container is held to less."""
    sizes = []
    with contextlib.suppress(AttributeError, ValueError, OSError):
        sizes.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with contextlib.suppress(OSError, ValueError):  # "max" where there is no limit
        sizes.append(int(Path("/sys/fs/cgroup/memory.max").read_text().strip()))
    if not sizes:
        with contextlib.suppress(Exception):
            import psutil

            sizes.append(psutil.virtual_memory().total)
    return round(min(sizes) / 1e9, 1) if sizes else None


def blas() -> list[dict[str, Any]]:
    """Libraries of linear algebra and OpenMP that are loaded, with their threads; empty where nothing can tell."""
    try:
        from threadpoolctl import threadpool_info

        keys = ("user_api", "internal_api", "version", "num_threads")
        return [{key: pool.get(key) for key in keys} for pool in threadpool_info()]
    except Exception:
        pass
    try:
        import numpy as np

        config: Any = np.show_config(mode="dicts")
        built = config["Build Dependencies"]["blas"]
        kind = {"user_api": "blas", "internal_api": built.get("name"), "version": built.get("version")}
        return [{**kind, "num_threads": None}]
    except Exception:
        return []


def thread_settings() -> dict[str, str]:
    """Variables of the environment that set a number of threads."""
    return {name: os.environ[name] for name in THREADS if name in os.environ}


def torch_facts() -> dict[str, Any] | None:
    """Devices that PyTorch sees; None where it is not installed, and the error where it is broken."""
    found = examine("torch")
    if found.state != "well":
        return None if found.state == "missing" else {"version": found.version, "error": found.error}
    import torch

    facts: dict[str, Any] = {"version": str(torch.__version__), "threads": torch.get_num_threads()}
    facts["cuda"] = _guarded(lambda: torch.version.cuda)
    facts["devices"] = _guarded(lambda: [_device(torch, k) for k in range(torch.cuda.device_count())], [])
    facts["mps"] = bool(_guarded(lambda: torch.backends.mps.is_available(), False))
    return facts


def _device(torch: Any, k: int) -> dict[str, Any]:
    properties = torch.cuda.get_device_properties(k)
    capability = f"{properties.major}.{properties.minor}"
    memory = round(properties.total_memory / 1e9, 1)
    return {"name": properties.name, "memory_gb": memory, "capability": capability}


def _guarded(ask: Any, otherwise: Any = None) -> Any:
    try:
        with _silent():
            return ask()
    except Exception:  # drivers that do not fit raise what they like
        return otherwise
