"""What `erlangen doctor` says of machines that are well, lacking or broken."""

from __future__ import annotations

import json
import sys
import types

import pytest

from erlangen.cli import _health, _selftest
from erlangen.cli._health import Package, packages


@pytest.fixture
def quick(monkeypatch):
    """No package is imported, and one quick check stands for all."""
    well = {"": [Package("numpy", ">=1.26", "2.0", "")], "torch": [Package("torch", ">=2.3", "", "")]}
    monkeypatch.setattr(_health, "packages", lambda: {name: list(found) for name, found in well.items()})
    monkeypatch.setattr(_health, "torch_facts", lambda: None)
    monkeypatch.setattr(_selftest, "CHECKS", {"a check": lambda: (True, "it holds")})
    return well


def test_what_is_missing_is_no_fault(call, quick):
    code, out, err = call("doctor")
    assert (code, err) == (0, "") and out.startswith("All is well: 1 of 1 checks pass")
    assert 'torch missing: pip install "erlangen[torch]"' in out and "passed: a check: it holds" in out
    facts = json.loads(call("doctor", "--json").out)
    assert facts["extras"] == [
        {
            "name": "torch",
            "state": "missing",
            "install": 'pip install "erlangen[torch]"',
            "packages": [{"name": "torch", "required": ">=2.3", "version": "", "state": "missing", "error": ""}],
        }
    ]
    assert facts["machine"]["python"] in sys.version and facts["machine"]["usable_cores"] >= 1
    assert 0.1 < facts["machine"]["memory_gb"] < 1e5 and facts["problems"] == []


def test_what_is_broken_is_a_fault_told_in_words(call, quick):
    quick["torch"] = [Package("torch", ">=2.3", "2.9", "cannot be imported: OSError: libcudart.so")]
    code, out, err = call("doctor")
    assert code == 1 and out.startswith("1 problem.") and "libcudart.so" in err and "Traceback" not in out + err
    assert "--force-reinstall" in err
    facts = json.loads(call("doctor", "--json").out)
    assert not facts["answered"] and facts["extras"][0]["state"] == "broken" and len(facts["problems"]) == 1


@pytest.mark.parametrize("wrong", [lambda: (False, "dimension 5"), lambda: 1 / 0])
def test_a_check_that_fails_or_raises(call, quick, monkeypatch, wrong):
    monkeypatch.setattr(_selftest, "CHECKS", {"good": lambda: (True, ""), "bad": wrong})
    code, out, err = call("doctor")
    assert code == 1 and "FAILED: bad: " in out and "passed: good" in out
    assert ("dimension 5" in err) != ("ZeroDivisionError" in err)


def test_the_checks_pass_and_see_what_is_wrong(monkeypatch):
    found = [_selftest.run(name, work) for name, work in (_selftest.CHECKS | _selftest.WITH_TORCH).items()]
    assert [check.passed for check in found] == [True] * 4, found
    from erlangen.linalg.qr import StreamedQR

    monkeypatch.setattr(StreamedQR, "factor", lambda self: 2.0 * self._r)
    assert not _selftest.run("QR", _selftest.streams).passed
    monkeypatch.setattr(_selftest, "ROUNDING", 0.0)
    assert not _selftest.run("rotations", _selftest.rotations).passed


# --- packages


METADATA = [
    "numpy>=1.26",
    "pandas[parquet]>=2.1",
    'torch>=2.3; extra == "torch"',
    "dask[array]>=2024.1; extra == 'scale'",
    'old (>=9.0) ; extra == "scale"',
    'new>=9.0; extra == "scale"',
    'sphinx>=7; extra == "docs"',
    'pytest; extra == "dev"',
]
VERSIONS = {"numpy": "2.0", "pandas": "2.2", "dask": "2025.1", "old": "8.9.1", "new": "10.0", "torch": "2.3.0+cpu"}


@pytest.fixture
def installed(monkeypatch):
    """A machine with these packages, some of which raise when they are imported."""

    def version(name):
        if name not in VERSIONS:
            raise _health.metadata.PackageNotFoundError(name)
        return VERSIONS[name]

    raised = {"dask": SystemExit("no licence"), "torch": RuntimeError("two\nlines")}

    def load(name):
        if name in raised:
            raise raised[name]
        return types.ModuleType(name)

    monkeypatch.setattr(_health.metadata, "requires", lambda name: METADATA)
    monkeypatch.setattr(_health.metadata, "version", version)
    monkeypatch.setattr(_health.importlib, "import_module", load)


def test_extras_are_read_from_the_metadata(installed):
    found = packages()
    assert {name: [p.name for p in group] for name, group in found.items()} == {
        "": ["numpy", "pandas"],
        "torch": ["torch"],
        "scale": ["dask", "old", "new"],
    }
    assert [p.state for p in found[""]] == ["well", "well"] and found[""][1].required == ">=2.1"


def test_whatever_a_package_raises_is_told(installed):
    found = {p.name: p for group in packages().values() for p in group}
    assert found["torch"].error == "cannot be imported: RuntimeError: two lines"
    assert found["dask"].error == "cannot be imported: SystemExit: no licence" and found["dask"].state == "broken"
    assert found["old"].error == "too old, >=9.0 is asked for" and found["old"].state == "broken"
    assert found["new"].state == "well"  # 10 is more than 9, though not as text
    assert _health.examine("torch", ">=2.3").version == "2.3.0+cpu"
    assert _health.torch_facts() == {"version": "2.3.0+cpu", "error": "cannot be imported: RuntimeError: two lines"}


def test_versions_are_compared_as_numbers():
    assert _health._numbers("2.10.1") > _health._numbers("2.9") and _health._numbers("2.3.0+cpu") == (2, 3)
    assert _health._numbers("2024.1.0rc1") == (2024, 1)
    assert _health.examine("numpy", ">=1.26").state == "well" and _health.examine("no-such-package").state == "missing"


# --- devices


class Devices:
    """As much of torch.cuda as is asked."""

    def __init__(self, properties):
        self.properties = properties

    def device_count(self):
        return len(self.properties)

    def get_device_properties(self, k):
        if self.properties[k] is None:
            raise RuntimeError("the driver is too old")
        return self.properties[k]


def machine_with(monkeypatch, *devices):
    torch = types.SimpleNamespace(
        __version__="2.9",
        version=types.SimpleNamespace(cuda="12.8"),
        cuda=Devices(devices),
        backends=types.SimpleNamespace(),  # a build without mps
        get_num_threads=lambda: 2,
    )
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr(_health, "examine", lambda name: Package(name, "", "2.9", ""))


def test_devices_by_name(monkeypatch):
    gpu = types.SimpleNamespace(name="GPU 9000", total_memory=80_000_000_000, major=9, minor=0)
    machine_with(monkeypatch, gpu)
    found = _health.torch_facts()
    assert found == {"version": "2.9", "threads": 2, "cuda": "12.8", "mps": False,
                     "devices": [{"name": "GPU 9000", "memory_gb": 80.0, "capability": "9.0"}]}  # fmt: skip
    from erlangen.cli.doctor import _torch

    assert _torch(found) == "2.9, CUDA 12.8, 2 threads; GPU 9000 (80.0 GB)"
    machine_with(monkeypatch, None)
    assert "no GPU" in _torch(_health.torch_facts())


def test_linear_algebra_without_threadpoolctl(monkeypatch):
    assert any(pool["user_api"] == "blas" and pool["num_threads"] >= 1 for pool in _health.blas())
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    found = _health.blas()
    assert found[0]["internal_api"] and found[0]["num_threads"] is None
