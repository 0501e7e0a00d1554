"""Completion scripts: printed for each shell, and working in the one that is here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from erlangen.cli import completion

ASK = """
eval "$SCRIPT"
COMP_WORDS=(erlangen discover function --t); COMP_CWORD=3
_erlangen_completion erlangen
echo "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize("shell", completion.INSTALL)
def test_the_script_says_how_it_is_installed(call, shell):
    code, out, err = call("completion", shell)
    assert (code, err) == (0, "")
    assert completion.INSTALL[shell] in out
    assert "_ERLANGEN_COMPLETE" in out and f"complete_{shell}" in out
    assert out.startswith("#compdef erlangen\n") == (shell == "zsh")  # zsh reads the first line


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_completes_options(call, tmp_path):
    program = tmp_path / "erlangen"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m erlangen "$@"\n')
    program.chmod(0o755)
    given = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "SCRIPT": call("completion", "bash").out}
    done = subprocess.run(["bash", "--norc", "-c", ASK], capture_output=True, text=True, check=False, env=given)
    assert (done.returncode, done.stdout, done.stderr) == (0, "--target\n", "")


def asked(monkeypatch, capsys, words: str) -> list[str]:
    """What fish is told; the last word is the one to complete."""
    monkeypatch.setenv("_ERLANGEN_COMPLETE", "complete_fish")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", words)
    from erlangen.cli import main

    with pytest.raises(SystemExit) as left:
        main([])
    assert left.value.code == 0
    return [line.partition("\t")[0] for line in capsys.readouterr().out.splitlines()]


def test_commands_options_and_names(monkeypatch, capsys):
    assert {"demo", "discover", "doctor", "completion"} <= set(asked(monkeypatch, capsys, "erlangen "))
    assert asked(monkeypatch, capsys, "erlangen identify --j") == ["--json"]
    assert asked(monkeypatch, capsys, "erlangen completion p") == ["powershell"]


def test_the_shell_is_found_out(call, monkeypatch):
    monkeypatch.setitem(sys.modules, "shellingham", None)  # as where it is not installed
    monkeypatch.setenv("SHELL", "/usr/local/bin/fish")
    assert call("completion").out == call("completion", "fish").out
    monkeypatch.setenv("SHELL", "")
    assert "The shell cannot be told." in call("completion").err


def test_a_shell_that_is_not_known(call):
    code, out, err = call("completion", "fsh")
    assert (code, out) == (2, "") and "erlangen completion fish" in err
    assert call("completion", "pwsh").out == call("completion", "powershell").out
