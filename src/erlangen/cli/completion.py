"""``erlangen completion SHELL``: a script that lets a shell complete commands and options."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from erlangen._errors import InputError, explain, nearest

VARIABLE = "_ERLANGEN_COMPLETE"
"""What the script sets when it asks for completions."""

INSTALL = {
    "bash": "echo 'eval \"$(erlangen completion bash)\"' >> ~/.bashrc",
    "zsh": "mkdir -p ~/.zfunc && erlangen completion zsh > ~/.zfunc/_erlangen"
    "   # with fpath+=~/.zfunc before compinit in ~/.zshrc",
    "fish": "mkdir -p ~/.config/fish/completions"
    " && erlangen completion fish > ~/.config/fish/completions/erlangen.fish",
    "powershell": "erlangen completion powershell | Out-String | Add-Content $PROFILE",
}
"""What to type so that every new shell completes, by shell."""

Shell = Annotated[
    str | None,
    typer.Argument(
        metavar="[SHELL]",
        help=f"{', '.join(INSTALL)} (by default the shell that you are in).",
        autocompletion=lambda incomplete: [name for name in INSTALL if name.startswith(incomplete)],
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("completion")(completion)


def completion(shell: Shell = None) -> None:
    """Print a script that lets a shell complete commands, options and names.

    The first lines of the script say how to install it.
    """
    name = _known(detected() if shell is None else shell)
    sys.stdout.write(script(name))
    sys.stdout.flush()


def script(shell: str) -> str:
    """Return the script for a shell, with instructions above it.

    It asks the program itself, through the variable `VARIABLE`, so it need not be printed again for a later release.
    """
    remark = f"# To complete in every new {shell}:\n#   {INSTALL[shell]}\n"
    body = _asked(f"source_{shell}").strip() + "\n"
    first, _, rest = body.partition("\n")
    # zsh reads the first line of a file to learn what it completes
    return f"{first}\n{remark}{rest}" if first.startswith("#compdef") else remark + body


def detected() -> str:
    """Name of the shell that this process was started from; empty where it cannot be told."""
    with contextlib.suppress(Exception):
        import shellingham  # comes with typer, in most of its releases

        return shellingham.detect_shell()[0]
    return Path(os.environ.get("SHELL", "")).name


def answer_shell() -> None:
    """Let typer know its shells where one of them asks for completions.

    typer does this for programs that offer to install the completion themselves, and has no other door to it; a
    program made for the purpose opens it, in every release since 0.12.
    """
    if VARIABLE in os.environ:
        offers = typer.Typer(add_completion=True)
        offers.command()(lambda: None)
        typer.main.get_command(offers)


def _asked(instruction: str) -> str:
    """What the program prints where the variable is set to an instruction."""
    from erlangen.cli._app import main

    said = io.StringIO()
    os.environ[VARIABLE] = instruction
    try:
        with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
            main([])
    finally:
        del os.environ[VARIABLE]
    return said.getvalue()


def _known(shell: str) -> str:
    name = "powershell" if shell.lower() == "pwsh" else shell.lower()
    if name in INSTALL:
        return name
    close = nearest(name, INSTALL)
    what = "There is no completion for this shell." if name else "The shell cannot be told."
    fix = f"erlangen completion {close or 'bash'}"
    raise InputError(explain(what, given=shell or "no name", expected=", ".join(INSTALL), fix=fix))
