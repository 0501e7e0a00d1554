"""What every command shares: options, where the answer goes, and how failures are told."""

from __future__ import annotations

import functools
import inspect
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from erlangen._errors import ErlangenError, InputError, UndecidedError, explain, nearest
from erlangen._progress import progress
from erlangen.cli._answer import Answer
from erlangen.cli._console import Progress, say, say_json
from erlangen.cli._logging import logged

ANSWERED, UNDECIDED, BAD_INPUT, INTERRUPTED, READER_LEFT = 0, 1, 2, 130, 141
"""Exit codes; the last two are those of a program that a signal ends."""

FORMATS = (".json", ".html", ".npz")

DEBUG, LOG_FILE = "erlangen.debug", "erlangen.log_file"  # what was said before the command
OUTPUT, DATA = "Output", "Data"  # panels of the help


@dataclass(frozen=True)
class Settings:
    """Options that every command takes."""

    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.", rich_help_panel=OUTPUT)] = False
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Write the answer to a .json, .html or .npz file.", rich_help_panel=OUTPUT
        ),
    ] = None
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Write a page with figures (.html).", rich_help_panel=OUTPUT),
    ] = None
    force: Annotated[bool, typer.Option("--force", help="Overwrite these files.", rich_help_panel=OUTPUT)] = False
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the verdict only; no warnings.", rich_help_panel=OUTPUT)
    ] = False
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks, steps and their times.", rich_help_panel=OUTPUT)
    ] = False
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of whatever is random.", rich_help_panel=DATA)] = 0


@dataclass(frozen=True)
class DataSettings:
    """Options of commands that read data and decide what counts as zero."""

    delta: Annotated[
        float, typer.Option("--delta", help="Relative defect up to which a symmetry holds.", rich_help_panel=DATA)
    ] = 0.05
    drop_nan: Annotated[
        bool, typer.Option("--drop-nan", help="Drop rows with missing entries, NaN or inf.", rich_help_panel=DATA)
    ] = False

    def __post_init__(self) -> None:
        if not 0.0 < self.delta < 1.0:
            what = "--delta is a relative defect, between 0 and 1."
            expected = "0 < delta < 1 (1 is what an unrelated direction gives)"
            raise InputError(explain(what, given=f"--delta {self.delta}", expected=expected, fix="--delta 0.05"))


@dataclass
class Session:
    """One run of a command: its settings, its progress and what it found on the way."""

    command: str
    settings: Settings
    progress: Progress
    words: Sequence[str] = ()
    """The command line as it was typed."""
    inputs: dict[str, Path] = field(default_factory=dict)
    """Files that were read, by the names that were typed."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What was read and fitted, for JSON."""
    remarks: list[str] = field(default_factory=list)
    """The same in words, printed above the answer."""
    warnings: list[str] = field(default_factory=list)
    told: bool = False
    """Whether JSON has been printed: stdout holds one document."""
    written: list[Path] = field(default_factory=list)

    def note(self, remark: str, **facts: Any) -> None:
        """Keep something that a reader should know beside the answer."""
        # a file name is bytes: where they are not UTF-8, JSON gets a replacement character
        plain = {k: os.fsencode(v).decode("utf-8", "replace") if isinstance(v, Path) else v for k, v in facts.items()}
        self.facts |= plain
        self.inputs |= {_typed(path): path for path in facts.values() if isinstance(path, Path)}
        self.remarks.append(remark)

    def inform(self, text: str, style: str = "") -> None:
        """Print a message on stderr, unless quiet."""
        if not self.settings.quiet:
            say(text, sys.stderr, style)

    def warn(self, text: str) -> None:
        """Say once that something about the data should be known."""
        if text not in self.warnings:
            self.warnings.append(text)
            self.inform(f"warning: {text}", "yellow")

    def deliver(self, answer: Answer, missed: Exception | None = None) -> int:
        """Print the answer, write it where asked, and return the exit code.

        Parameters
        ----------
        answer : Answer
            What the command has to say.
        missed : Exception, optional
            Why there is no report of it, although one was asked for: raised when the answer has been told.
        """
        document = self.document(answer, missed)
        if self.settings.json:
            from erlangen._files import to_json

            say_json(to_json(document))
            self.told = True
        else:
            for line in [] if self.settings.quiet else self.remarks:
                say(line)
            if answer.text:
                say(answer.verdict if self.settings.quiet else answer.text, style="bold")
        if not answer.decided:
            say(f"not answered: {answer.why_not}", sys.stderr, "yellow")
        if self.settings.out is not None:
            self._write(self.settings.out, answer, document)
        if missed is not None:
            raise missed
        return ANSWERED if answer.decided else UNDECIDED

    def draw(self, answer: Answer) -> Exception | None:
        """Write the report where one is asked for; return why there is none."""
        from erlangen.cli._report import write_report

        if self.settings.report is None:
            return None
        self.progress.step("drawing")
        try:
            write_report(self, answer, self.settings.report)
        except Exception as error:  # the answer may have taken hours: it is told first
            return error
        self.written.append(self.settings.report)
        self.inform(f"Wrote {self.settings.report}.")
        return None

    def fail(self, error: BaseException, message: str, style: str = "") -> None:
        """Tell a failure on stderr, and as JSON where that is wanted and nothing has been printed yet."""
        say(f"error: {message}" if style else message, sys.stderr, style)
        if self.settings.json and not self.told:
            from erlangen.cli._failure import say_failure

            self.told = True
            say_failure(self.command, error, message)

    def document(self, answer: Answer, missed: Exception | None = None) -> dict[str, Any]:
        """Return everything as one JSON object."""
        from erlangen import __version__
        from erlangen.cli._schema import VERSION

        head: dict[str, Any] = {"schema": VERSION, "erlangen": __version__, "command": self.command}
        head |= {"answered": answer.decided, "why_not": answer.why_not}
        report = None if self.settings.report is None or missed else os.fsdecode(self.settings.report)
        return head | {"about": self.facts, "warnings": self.warnings, "report": report} | dict(answer.data)

    def _write(self, out: Path, answer: Answer, document: Mapping[str, Any]) -> None:
        from erlangen._files import save_arrays, write_json
        from erlangen.cli._report import write_report

        force = self.settings.force
        if out.suffix.lower() == ".json":
            write_json(out, document, force)
        elif out.suffix.lower() == ".html":
            write_report(self, answer, out)
        elif answer.arrays:
            save_arrays(out, answer.arrays, force)
        else:
            self.inform(f"Nothing was written to {out}: this answer has no arrays.")
            return
        self.written.append(out)
        self.inform(f"Wrote {out}.")

    def unwritten(self) -> list[str]:
        """Sentences on files that were asked for and are not there, or are still the old ones."""
        asked = [path for path in (self.settings.report, self.settings.out) if path is not None]
        return [f"{path} was not written." for path in asked if path not in self.written]


def check_outputs(settings: Settings, inputs: Sequence[Path]) -> None:
    """Refuse output files before any work is done: an ending, a folder, an existing file, a file that is named twice.

    Parameters
    ----------
    settings : Settings
        Where the answer and its report go.
    inputs : sequence of Path
        Other files on the line, to read or to write.
    """
    if settings.out is not None:
        _check_format(settings.out)
        _check_free(settings.out, inputs, settings.force)
    if settings.report is not None:
        from erlangen.cli._report import check_can_draw

        check_ending("--report", settings.report, ".html")
        check_can_draw()
        _check_free(settings.report, [*inputs, *([settings.out] if settings.out else [])], settings.force)


def check_ending(option: str, path: Path, ending: str) -> None:
    """Refuse a file name with another ending."""
    _check_name(option, path, ending)
    if path.suffix.lower() != ending:
        what, fix = f"{option} writes {ending} files.", f"{option} {path.with_suffix(ending).name}"
        raise InputError(explain(what, given=str(path), expected=f"a name that ends in {ending}", fix=fix))


def _check_name(option: str, path: Path, ending: str) -> None:
    """Refuse what is no file name at all: an empty text, or the folder at the top."""
    if not path.name:
        what, given = "The file to write has no name.", f"{option} '{'' if path == Path() else path}'"
        raise InputError(explain(what, given=given, expected="a file name", fix=f"{option} result{ending}"))


def _check_format(out: Path) -> None:
    _check_name("--out", out, ".json")
    ending = out.suffix.lower()
    if ending not in FORMATS:
        close = nearest(ending, FORMATS)
        fix = f"did you mean {out.with_suffix(close or '.json').name}?"
        what = "The ending of the output file is not known."
        raise InputError(explain(what, given=str(out), expected=", ".join(FORMATS), fix=fix))


def _check_free(path: Path, others: Sequence[Path], force: bool) -> None:
    from erlangen._files import check_target

    target = check_target(path, force)
    if any(os.path.realpath(other.expanduser()) == str(target) for other in others):
        what = "The output file is the input file, or another file on the line."
        raise InputError(explain(what, given=str(path), expected="another file", fix="choose another name"))


def _typed(path: Path) -> str:
    """The name of a file as it was typed; of data that come with the library, where they are in it."""
    import erlangen

    home = Path(erlangen.__file__).parent
    return path.relative_to(home.parent).as_posix() if path.is_relative_to(home) else os.fsdecode(path)


def command(app: typer.Typer, name: str, title: str, steps: int) -> Callable[[Callable], Callable]:
    """Register ``body(session, ..., settings of its own)`` as a command with the options of all commands.

    Parameters
    ----------
    app : Typer
        The group that it belongs to.
    name, title : str
        Its name in this group, and in full.
    steps : int
        Steps that it announces while it works.
    """

    def register(body: Callable[..., Answer]) -> Callable:
        own, data = _parameters(body)
        shared = [*_options(DataSettings), *_options(Settings)] if data else _options(Settings)

        @functools.wraps(body)
        def run(context: typer.Context, **given: Any) -> None:
            arguments = {p.name: given[p.name] for p in own}
            settings = Settings(**{p.name: given[p.name] for p in _options(Settings)})
            settings = replace(settings, debug=settings.debug or context.meta.get(DEBUG, False))
            chosen = {p.name: given[p.name] for p in _options(DataSettings)} if data else {}
            words = ("erlangen", *(context.obj or title.split()))
            session = Session(title, settings, Progress(_watched(settings), steps + 1), words)
            work = functools.partial(_run, session, body, arguments, chosen)
            raise typer.Exit(_guarded(session, functools.partial(_logged, context.meta.get(LOG_FILE), session, work)))

        del run.__wrapped__  # its signature is not the one of the body
        context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
        parameters = [context, *(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*own, *shared))]
        run.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportAttributeAccessIssue]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        return app.command(name)(run)

    return register


def _logged(file: Path | None, session: Session, work: Callable[[], int]) -> int:
    with logged(session.settings.debug, file):
        return work()


def _run(session: Session, body: Callable[..., Answer], arguments: dict[str, Any], chosen: dict[str, Any]) -> int:
    check_outputs(session.settings, [v for v in arguments.values() if isinstance(v, Path)])
    extra = {"data": DataSettings(**chosen)} if chosen else {}
    with session.progress.running(), _heard(session), progress(session.progress.inner):
        try:
            answer = body(session, **arguments, **extra)
        except UndecidedError as error:
            from erlangen.cli._answer import undecided

            trace(session.settings.debug)
            answer = undecided(error)
        missed = session.draw(answer)
    return session.deliver(answer, missed)


def _parameters(body: Callable) -> tuple[list[inspect.Parameter], bool]:
    """Parameters of the body that are options of its own, and whether it takes `DataSettings`."""
    found = inspect.signature(body, eval_str=True).parameters
    own = [p for p in found.values() if p.name not in ("session", "data")]
    return own, "data" in found


def _options(kind: type) -> list[inspect.Parameter]:
    return list(inspect.signature(kind, eval_str=True).parameters.values())


def _watched(settings: Settings) -> bool:
    return sys.stderr.isatty() and not settings.quiet and not settings.json


@contextmanager
def _heard(session: Session) -> Iterator[None]:
    """Turn warnings about the data into one line each; those of other packages are for `--debug`."""

    def hear(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if category.__module__.partition(".")[0] != "erlangen" and not session.settings.debug:
            return
        session.warn(" ".join(str(message).split()))

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = hear
        yield


def _guarded(session: Session, work: Callable[[], int]) -> int:
    """Run, and turn every failure into a message and an exit code."""
    try:
        return work()
    except KeyboardInterrupt as error:
        session.fail(error, " ".join(["Interrupted.", *session.unwritten()]))
        return INTERRUPTED
    except BrokenPipeError:
        # whoever read the output has left, as `head` does; nothing may be flushed to it at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_LEFT
    except Exception as error:
        trace(session.settings.debug)
        session.fail(error, explanation(error), "bold red")
        return BAD_INPUT


def explanation(error: Exception) -> str:
    """Say what went wrong, on purpose or not."""
    if isinstance(error, ErlangenError):
        return str(error)
    words = " ".join(str(error).split())[:300]
    if isinstance(error, MemoryError):
        what, fix = "This needs more memory than there is.", "fewer rows, columns, candidates or a lower degree"
        return explain(what, given=words or "out of memory", expected="a smaller problem", fix=fix)
    given = f"{type(error).__name__}: {words}"
    if isinstance(error, OSError):
        return explain("The system refused.", given=given, expected="files that can be read", fix="check the path")
    fix = "run again with --debug for the traceback, and report it: this is a fault of erlangen"
    return explain("An unexpected error.", given=given, expected="an answer or a clear refusal", fix=fix)


def trace(wanted: bool) -> None:
    """Print the traceback of the exception at hand."""
    if wanted:
        sys.stderr.write(traceback.format_exc())
