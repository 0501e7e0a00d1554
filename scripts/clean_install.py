"""Install dist/*.whl where nothing else is installed, and do what a new user does: `make clean-install`.

First with core dependencies only (no torch, no plots): the demo, the doctor, one's own table, and the words that say
what to install for a report. Then the README's path, with the report.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXTRAS = ("torch", "matplotlib", "plotly", "h5py", "dask", "sphinx", "pytest")
HEAVY = (*EXTRAS, "sklearn", "pandas", "pyarrow", "sympy", "typer", "rich", "tqdm")
ABSENT = f"import importlib.util as u; print([n for n in {EXTRAS} if u.find_spec(n)])"
LIGHT = f"import erlangen, sys; print([n for n in {HEAVY} if n in sys.modules])"


class Machine:
    """A folder with an environment of its own, as if nothing else were there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        venv.create(folder / "venv", with_pip=True)
        self.bin = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
        self.environment = {**kept, "PATH": f"{self.bin}{os.pathsep}{kept.get('PATH', '')}", "COLUMNS": "100"}

    def does(self, *words: str, code: int = 0) -> str:
        """Run a command in the folder; end where it answers with another code than expected."""
        start = time.perf_counter()
        command = [str(self.bin / words[0]), *words[1:]]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, text=True, capture_output=True, check=False
        )
        print(f"{time.perf_counter() - start:5.1f} s  {' '.join(words)[:90]}")
        said = done.stdout + done.stderr
        if done.returncode != code:
            sys.exit(f"{said}\nfailed with {done.returncode} instead of {code}: {' '.join(words)}")
        return said

    def install(self, what: str) -> None:
        """Install with the pins of constraints.txt."""
        options = ("--quiet", "--disable-pip-version-check", "--constraint", str(ROOT / "constraints.txt"))
        self.does("python", "-m", "pip", "install", *options, what)


def expect(holds: bool, words: str, said: str) -> None:
    """End with what was said where it is not what is expected."""
    if not holds:
        sys.exit(f"{said}\nexpected: {words}")


def own_table(readme: str) -> str:
    """The program in the README that writes own.csv."""
    return next(code for code in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "own.csv" in code)


def own_command(readme: str) -> list[str]:
    """The second of the README's three commands."""
    line = next(line for line in readme.splitlines() if line.startswith("erlangen discover function own.csv"))
    return line.split()


def main() -> int:
    (wheel,) = (ROOT / "dist").glob("*.whl")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(Path(folder))
        machine.install(str(wheel))
        absent = machine.does("python", "-c", ABSENT)
        expect(absent.strip() == "[]", "none of the extras", absent)
        light = machine.does("python", "-c", LIGHT)
        expect(light.strip() == "[]", "nothing heavy loaded by `import erlangen`", light)
        demo = machine.does("erlangen", "demo")
        expect("so(3)+R" in demo, "the algebra so(3)+R", demo)
        machine.does("erlangen", "doctor")
        (machine.folder / "table.py").write_text(own_table(readme), encoding="utf-8")
        machine.does("python", "table.py")
        command = own_command(readme)
        plain = command[: command.index("--report")]
        machine.does(*plain)
        refused = machine.does(*command, code=2)
        expect("erlangen[report]" in refused and "Traceback" not in refused, "what to install for a report", refused)
        machine.install(f"{wheel}[report]")
        machine.does(*command)
        page = machine.folder / command[command.index("--report") + 1]
        expect(page.exists() and page.stat().st_size > 0, "the page that was asked for", "")
    print("a new user's path works")
    return 0


if __name__ == "__main__":
    sys.exit(main())
