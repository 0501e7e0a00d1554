"""``erlangen doctor``: what is installed, on what machine, and whether it computes what it should."""

from __future__ import annotations

import dataclasses
import html
from typing import Any

import typer

from erlangen.cli._answer import Answer
from erlangen.cli._session import Session, command

STORED = "no settings file, and nothing kept on disk unless cache= names a folder"
"""Where settings and caches are: a folder is used only where `er.enforce(..., cache=FOLDER)` names it."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "doctor", "doctor", 3)(doctor)


def doctor(session: Session) -> Answer:
    """Check this installation: versions, linear algebra, devices, extras, and two seconds of known answers.

    The exit code is 0 where all is well. Extras that are missing are told, with the line that installs them, and are
    no fault; a package that is installed and broken is one.
    """
    from erlangen.cli import _health, _selftest

    session.progress.step("importing packages")
    torch = _health.torch_facts()
    groups = _health.packages()
    session.progress.step("computing known answers")
    todo = _selftest.CHECKS | (_selftest.WITH_TORCH if torch is not None and "error" not in torch else {})
    checks = [_selftest.run(name, work) for name, work in todo.items()]
    return _stated(_facts(groups, torch, checks), checks)


def _facts(groups: dict[str, list[Any]], torch: dict[str, Any] | None, checks: list[Any]) -> dict[str, Any]:
    from erlangen import __version__
    from erlangen.cli import _health

    core = groups.pop("", [])
    extras = [
        {
            "name": name,
            "state": "broken" if (states := {p.state for p in members}) & {"broken"} else _together(states),
            "install": f'pip install "erlangen[{name}]"',
            "packages": [_package(p) for p in members],
        }
        for name, members in sorted(groups.items())
    ]
    return {
        "erlangen_version": __version__,
        "machine": _health.machine(),
        "stored": STORED,
        "packages": [_package(p) for p in core],
        "linear_algebra": _health.blas(),
        "thread_settings": _health.thread_settings(),
        "torch": torch,
        "extras": extras,
        "checks": [dataclasses.asdict(check) for check in checks],
    }


def _together(states: set[str]) -> str:
    return "installed" if states == {"well"} else "missing" if states == {"missing"} else "partly"


def _package(p: Any) -> dict[str, str]:
    return {"name": p.name, "required": p.required, "version": p.version, "state": p.state, "error": p.error}


def _stated(facts: dict[str, Any], checks: list[Any]) -> Answer:
    """Put everything into words, problems first."""
    problems = _problems(facts, checks)
    seconds = sum(check.seconds for check in checks)
    words = f"{len(checks)} of {len(checks)} checks pass in {seconds:.1f} s"
    verdict = f"All is well: {words}." if not problems else f"{len(problems)} problem{'s' * (len(problems) > 1)}."
    text = "\n".join([verdict, *(f"  {problem}" for problem in problems), "", *_lines(facts), "", *map(str, checks)])
    why_not = f"{verdict} {'; '.join(problems)}." if problems else ""
    data = {"kind": "doctor", "verdict": verdict, "problems": problems, **facts}
    return Answer(verdict, text, data, f"<pre>{html.escape(text)}</pre>", why_not, {})


def _problems(facts: dict[str, Any], checks: list[Any]) -> list[str]:
    found = []
    for p in facts["packages"]:
        if p["state"] != "well":
            found.append(f"{p['name']}: {p['error'] or 'missing'} (pip install --upgrade erlangen)")
    for extra in facts["extras"]:
        broken = [p for p in extra["packages"] if p["state"] == "broken"]
        fix = f"({extra['install']} --upgrade --force-reinstall)"
        found += [f"{p['name']} of the extra {extra['name']}: {p['error']} {fix}" for p in broken]
    return found + [f"{check.name}: {check.detail}" for check in checks if not check.passed]


def _lines(facts: dict[str, Any]) -> list[str]:
    machine = facts["machine"]
    memory = "memory unknown" if machine["memory_gb"] is None else f"{machine['memory_gb']} GB of memory"
    return [
        f"erlangen   {facts['erlangen_version']}",
        f"python     {machine['python']} ({machine['executable']})",
        f"system     {machine['system']}",
        f"machine    {machine['usable_cores']} of {machine['cores']} cores, {memory}",
        f"packages   {', '.join(p['name'] + ' ' + (p['version'] or 'missing') for p in facts['packages'])}",
        f"algebra    {_algebra(facts)}",
        f"torch      {_torch(facts['torch'])}",
        f"stored     {facts['stored']}",
        *(f"{'extras' if k == 0 else '':<10} {_extra(extra)}" for k, extra in enumerate(facts["extras"])),
    ]


def _algebra(facts: dict[str, Any]) -> str:
    pools = [
        f"{pool['internal_api']} {pool['version'] or ''}".strip()
        + (f", {pool['num_threads']} thread{'s' * (pool['num_threads'] > 1)}" if pool["num_threads"] else "")
        for pool in facts["linear_algebra"]
    ]
    settings = [f"{name}={value}" for name, value in facts["thread_settings"].items()]
    return "; ".join([*dict.fromkeys(pools), *settings]) or "unknown"


def _torch(facts: dict[str, Any] | None) -> str:
    if facts is None:
        return 'not installed: pip install "erlangen[torch]"'
    if "error" in facts:
        return f"{facts['version']}, {facts['error']}"
    devices = [f"{d['name']} ({d['memory_gb']} GB)" for d in facts["devices"] or []]
    found = ", ".join(devices) or ("Apple GPU (mps)" if facts["mps"] else "no GPU: everything runs on the CPU")
    cuda = f", CUDA {facts['cuda']}" if facts["cuda"] else ""
    return f"{facts['version']}{cuda}, {facts['threads']} thread{'s' * (facts['threads'] > 1)}; {found}"


def _extra(extra: dict[str, Any]) -> str:
    found = [f"{p['name']} {p['version']}" for p in extra["packages"] if p["version"]]
    absent = [p["name"] for p in extra["packages"] if not p["version"]]
    words = [", ".join(found)] if found else []
    words += [f"{', '.join(absent)} missing: {extra['install']}"] if absent else []
    return f"{extra['name']}: {'; '.join(words)}"
