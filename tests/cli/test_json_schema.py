"""The documents of ``--json``: described key by key, for answers and for failures; `call` checks every one of them."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from cli_schema import check_document

from erlangen.cli._app import app
from erlangen.cli._schema import COMMANDS, KINDS, parts, schema_of
from erlangen.cli._schema_page import tables

PAGE = Path(__file__).parents[2] / "docs" / "json.md"
NO_JSON = {"completion", "schema"}


def commands(group) -> set[str]:
    """Names of all commands, as they are typed."""
    found = {info.name for info in group.registered_commands}
    return found | {f"{g.name} {name}" for g in group.registered_groups for name in commands(g.typer_instance)}


def described(form: object, path: str = "") -> list[str]:
    """Paths of properties without a description, and of objects that allow others."""
    bad = []
    if isinstance(form, dict):
        if form.get("type") == "object" and "additionalProperties" not in form:
            bad.append(path)
        for name, field in form.get("properties", {}).items():
            if not field.get("description") and "$ref" not in field:
                bad.append(f"{path}.{name}")
        bad += [where for key, part in form.items() for where in described(part, f"{path}.{key}")]
    elif isinstance(form, list):
        bad += [where for part in form for where in described(part, path)]
    return bad


def test_every_command_has_a_schema_and_every_key_a_meaning():
    assert commands(app) - NO_JSON == set(COMMANDS)
    assert {kind for kinds in COMMANDS.values() for kind in kinds} == set(KINDS)
    assert described(schema_of()) == []


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_the_schema_stands_for_itself(call, command):
    code, out, err = call("schema", *(command or "").split())
    form = json.loads(out)
    assert (code, err) == (0, "") and form == schema_of(command)
    jsonschema.Draft202012Validator.check_schema(form)
    refers = {part.rpartition("/")[2] for part in out.split('"') if part.startswith("#/$defs/")}
    assert refers == set(form["$defs"])  # nothing is missing, and nothing is there in vain
    assert form["$schema"].endswith("2020-12/schema")


def test_a_key_that_is_not_described_is_seen(call, files):
    document = json.loads(call("identify", files / "so3.npz", "--json").out)
    for changed in (document | {"new": 1}, document | {"dim": "3"}, {k: document[k] for k in document if k != "name"}):
        with pytest.raises(jsonschema.ValidationError):
            check_document(json.dumps(changed))
    with pytest.raises(jsonschema.ValidationError):  # a kind that this command does not print
        check_document(json.dumps(document | {"command": "demo"}))


FAILURES = {
    "input": (("identify", "so4.npz"), "input", "identify"),
    "usage": (("identify", "so3.npz", "--sed", "3"), "usage", ""),
    "command": (("identfy", "so3.npz"), "usage", ""),
    "value": (("identify", "so3.npz", "--seed", "-1"), "usage", ""),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failure_is_one_document_on_stdout_and_words_on_stderr(call, files, monkeypatch, case):
    monkeypatch.chdir(files)
    words, kind, command = FAILURES[case]
    code, out, err = call(*words, "--json")
    document = json.loads(out)
    assert code == 2 and document["answered"] is False and document["command"] == command
    assert document["error"]["type"] == kind and document["why_not"] in err and document["error"]["fix"]
    assert document["why_not"].startswith(document["error"]["what"])


@pytest.mark.parametrize(
    "error, code, kind",
    [(ZeroDivisionError(), 2, "unexpected"), (MemoryError(), 2, "memory"), (OSError(5, "no"), 2, "system"),
     (KeyboardInterrupt(), 130, "interrupted")],
)  # fmt: skip
def test_whose_turn_it_is(call, files, monkeypatch, error, code, kind):
    def fail(*_):
        raise error

    monkeypatch.setattr("erlangen.io.read_generators", fail)
    outcome = call("identify", files / "so3.npz", "--json")
    assert outcome.code == code and json.loads(outcome.out)["error"]["type"] == kind


def test_a_file_that_cannot_be_written_leaves_one_document(call, files, monkeypatch):
    def fail(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr("erlangen._files.write_json", fail)
    outcome = call("identify", files / "so3.npz", "--json", "--out", files / "answer.json")
    assert outcome.code == 2 and "the disk is full" in outcome.err
    assert json.loads(outcome.out)["kind"] == "algebra"


def test_a_command_without_a_schema(call):
    code, out, err = call("schema", "discover", "functions")
    assert (code, out) == (2, "") and "erlangen schema discover function" in err


def test_the_page_holds_the_tables(call):
    page = PAGE.read_text(encoding="utf-8")
    assert tables() in page  # rewrite them with: erlangen schema --markdown
    assert call("schema", "--markdown").out == tables()
    for name in [*KINDS, *(name for name in parts() if name not in ("certificate", "found"))]:
        assert f"`{name}`" in page or f"Part: {name}" in page


# --- citations on the command line


def test_cite_names_and_files(call, files):
    names = json.loads(call("cite", "held-out", "--json").out)
    assert [row["key"] for row in names["references"]][0] == "erlangen" and len(names["references"]) == 3
    call("identify", files / "so3.npz", "--out", files / "a.json")
    assert "Helgason" in call("cite", files / "a.json").out
    assert call("cite", "SINDy", "--bibtex").out.startswith("@software{erlangen,\n")
    assert "did you mean 'SINDy'?" in call("cite", "SIND").err
    (files / "other.json").write_text("[1]")
    assert call("cite", files / "other.json").code == 2 and call("cite", files / "none.json").code == 2
