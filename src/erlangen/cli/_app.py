"""The application: its groups, and what is said where the words on the line are no command."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.main import get_command

from erlangen.cli import (
    certify,
    cite,
    completion,
    conserved,
    demo,
    discover,
    doctor,
    equations,
    identify,
    schema,
)
from erlangen.cli._console import say
from erlangen.cli._failure import say_failure
from erlangen.cli._session import BAD_INPUT, DEBUG, INTERRUPTED, LOG_FILE, explanation, trace

_CODES = "Exit codes: 0 answered, 1 the data do not decide (says why), 2 bad usage or bad input."

app = typer.Typer(
    name="erlangen",
    help="What leaves this model, data set or dynamical system alone, and what does it conserve?",
    epilog=_CODES,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
demo.register(app)
discover.register(app)
certify.register(app)
conserved.register(app)
equations.register(app)
identify.register(app)
doctor.register(app)
cite.register(app)
completion.register(app)
schema.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        from erlangen import __version__

        typer.echo(f"erlangen {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _top(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version, and stop.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks, steps and their times.")] = False,
    log_file: Annotated[
        Path | None, typer.Option("--log-file", metavar="FILE", help="Append steps and their times to a file.")
    ] = None,
) -> None:
    context.meta.update({DEBUG: debug, LOG_FILE: log_file})
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after ``erlangen``, by default those of the process.

    Returns
    -------
    int
        0 answered, 1 the data do not decide, 2 bad usage or bad input, 130 interrupted.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    completion.answer_shell()
    try:
        return int(get_command(app).main(arguments, prog_name="erlangen", standalone_mode=False, obj=arguments) or 0)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        trace("--debug" in arguments)
        words = _usage(error, arguments)
        if words:
            say(f"error: {words}", sys.stderr, "bold red")
            if "--json" in arguments:
                say_failure("", error, words)
        return BAD_INPUT


def _usage(error: Any, arguments: Sequence[str]) -> str:
    """Say what is wrong with the words on the line; empty where the help has been printed instead."""
    # typer has carried its own copy of click for a while: its errors are known by their method, not by their class
    if not callable(getattr(error, "format_message", None)):
        return explanation(error)
    message = error.format_message().strip()
    path = getattr(getattr(error, "ctx", None), "command_path", "erlangen")
    # not every release of typer tells the value that it refuses, so the line is told
    given = " ".join(shlex.join(["erlangen", *arguments]).split())[:200]
    return f"{message}\n  given:    {given}\n  fix:      {path} --help" if message else ""
