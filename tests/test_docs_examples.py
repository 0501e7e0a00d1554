"""Every example on the pages is run, in order, and what it is said to print is compared.

On each page, in an empty folder of its own:

- a `python` block is executed; all blocks of a page share one namespace;
- a `text` block right after it is what it prints (`...` stands for anything);
- a `console` block holds lines `$ erlangen ...`, run through the real entry point, each followed by what it prints;
  the comment `# exit code 2` says how it ends where it does not succeed.

Blocks in other languages (`sh`: how to install, `toml`: settings) are not examples and are left alone.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import shlex
import sys
import types
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

import erlangen.cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted(p for p in (ROOT / "docs").rglob("*.md") if "_build" not in p.parts)]
FENCE = re.compile(r"^```(?P<language>[a-z]+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


# A defect of 3.1e-16 is another multiple of rounding on another machine, and its ratio to the next one follows.
ROUNDING = re.compile(r"\b\d(\.\d+)?e[+-]1\d\b")
RULE = re.compile(r"-{3,}")
PAGE = "__main__of_page"


def compare(want: str, got: str, where: str) -> None:
    want, got = (RULE.sub("---", ROUNDING.sub("(rounding)", text)) for text in (want, got))
    example = doctest.Example("", want)
    checker = doctest.OutputChecker()
    if not checker.check_output(want, got, FLAGS):
        raise AssertionError(f"{where}\n{checker.output_difference(example, got, FLAGS)}")


def run_python(body: str, namespace: dict[str, Any], where: str, line: int) -> str:
    """Execute a block so that a traceback names the line of the page."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile("\n" * line + body, where.partition(":")[0], "exec"), namespace)
    return printed.getvalue()


def run_console(body: str, where: str) -> None:
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command, _, want = part.partition("\n")
        code = int(command.partition("# exit code ")[2] or 0)
        program, *arguments = shlex.split(command, comments=True)
        assert program == "erlangen", f"{where}: only erlangen is run in console blocks, not {program}"
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            got = erlangen.cli.main(arguments)
        assert got == code, f"{where}: {command}\n{out.getvalue()}{err.getvalue()}"
        if want.strip():
            compare(want, (err if code else out).getvalue(), f"{where}: {command}")


def run_page(text: str, name: str) -> int:
    """Run the blocks of a page and return how many were run."""
    # Workers cannot import a page. Dask sends by value what speaks of a main module and is registered so.
    module = sys.modules.setdefault(PAGE, types.ModuleType(PAGE))
    cloudpickle.register_pickle_by_value(module)
    namespace = vars(module)
    namespace.clear()
    namespace["__name__"] = PAGE  # dataclasses look up the module that defines them
    printed, end, count = None, -1, 0
    for fence in FENCE.finditer(text):
        line = text.count("\n", 0, fence.start("body"))
        where = f"{name}:{line + 1}"
        language, body = fence["language"], fence["body"]
        if language == "text" and printed is not None and not text[end : fence.start()].strip():
            compare(body, printed, where)
        printed = run_python(body, namespace, where, line) if language == "python" else None
        if language == "console":
            run_console(body, where)
        count += language in ("python", "console")
        end = fence.end()
    return count


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_page(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    run_page(page.read_text(encoding="utf-8"), page.name)


def test_the_runner_sees_wrong_output():
    right = "```python\nprint(1 + 1)\n```\n\n```text\n2\n```\n"
    assert run_page(right, "page") == 1
    with pytest.raises(AssertionError, match="page:6"):
        run_page(right.replace("\n2\n", "\n3\n"), "page")
    with pytest.raises(ZeroDivisionError):
        run_page("```python\n1 / 0\n```\n", "page")
