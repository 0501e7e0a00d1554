"""Build dist/*.tar.gz and dist/*.whl, and check what is in them: `make dist`.

The wheel in dist/ is built from the source distribution; its files have to be those of a wheel built from the working
tree. No warning is let through.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
DIST = ROOT / "dist"
ASSETS = (".css", ".js", ".json", ".csv", ".md", ".typed", ".html")
"""Files that are read at run time, beside the code."""

IN_WHEEL = ("erlangen/py.typed", "erlangen/data/planets.csv", "erlangen/data/README.md")
IN_SOURCE = (
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "CITATION.cff",
    "Makefile",
    "constraints.txt",
    "constraints-min.txt",
    "tests/conftest.py",
    "docs/index.md",
    "docs/conf.py",
    "examples",
    "benchmarks/__main__.py",
    "scripts/pin.py",
)


def run(*words: str) -> str:
    """Run a module of this interpreter; end with its output where it fails or warns."""
    done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, text=True, capture_output=True, check=False)
    said = done.stdout + done.stderr
    if done.returncode or "warning" in said.lower():
        sys.exit(f"{said}\nfailed: {' '.join(words)}")
    return said


def wheel_problems(names: list[str]) -> list[str]:
    """What is missing in a wheel, and what does not belong there."""
    source = ROOT / "src"
    tracked = subprocess.run(["git", "ls-files", "src"], cwd=ROOT, text=True, capture_output=True, check=False).stdout
    files = [Path(line).relative_to("src").as_posix() for line in tracked.splitlines() if (ROOT / line).exists()]
    if not files:  # no clone: an unpacked source distribution
        files = [p.relative_to(source).as_posix() for p in source.rglob("*") if p.suffix in (".py", *ASSETS)]
    missing = [f"missing in the wheel: {name}" for name in sorted({*files, *IN_WHEEL} - set(names))]
    tops = {name.partition("/")[0] for name in names}
    strange = [f"does not belong in the wheel: {top}" for top in tops if top.partition("-")[0] != "erlangen"]
    tests = [f"does not belong in the wheel: {n}" for n in names if "/tests/" in n or Path(n).name.startswith("test_")]
    return missing + strange + tests


def source_problems(names: list[str]) -> list[str]:
    """What is missing in a source distribution, and what does not belong there."""
    inside = {name.partition("/")[2] for name in names}
    missing = [n for n in IN_SOURCE if n not in inside and not any(i.startswith(n + "/") for i in inside)]
    made = [n for n in inside if "__pycache__" in n or n.startswith(("docs/_build", "docs/generated", ".venv"))]
    return [f"missing in the source: {n}" for n in missing] + [f"does not belong in the source: {n}" for n in made]


def differences(one: Path, other: Path) -> list[str]:
    """Files that are not the same in two wheels."""
    sums = [{(i.filename, i.CRC) for i in zipfile.ZipFile(path).infolist()} for path in (one, other)]
    names = sorted({name for name, _ in sums[0] ^ sums[1]})
    return [f"not the same when built from the source distribution: {name}" for name in names]


def main() -> int:
    shutil.rmtree(DIST, ignore_errors=True)
    run("build", "--outdir", str(DIST), ".")
    (wheel,), (source,) = DIST.glob("*.whl"), DIST.glob("*.tar.gz")
    run("twine", "check", "--strict", str(wheel), str(source))
    problems = wheel_problems(zipfile.ZipFile(wheel).namelist())
    problems += source_problems(tarfile.open(source).getnames())
    with tempfile.TemporaryDirectory() as folder:
        run("build", "--wheel", "--outdir", folder, ".")
        problems += differences(wheel, Path(folder) / wheel.name)
    for path in (wheel, source):
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e6:.1f} MB")
    print("\n".join(problems) or "complete, and nothing else in them")
    return len(problems) and 1


if __name__ == "__main__":
    sys.exit(main())
