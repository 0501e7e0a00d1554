"""Check what ``--json`` prints against its schema."""

from __future__ import annotations

import functools
import json

from jsonschema import Draft202012Validator

from erlangen.cli._schema import schema_of


@functools.cache
def validator(command: str) -> Draft202012Validator:
    """Of the documents of one command, or of all where the line was not understood."""
    form = schema_of(command or None)
    Draft202012Validator.check_schema(form)
    return Draft202012Validator(form)


def check_document(text: str) -> None:
    """Check that text is one document, of a kind that its command may print, with no key that is not described."""
    document = json.loads(text)
    form = validator(document["command"])
    name = f"{document['kind']}_document"
    if name in form.schema["$defs"]:  # says which key is wrong; the choice among kinds would not
        Draft202012Validator({**form.schema, "oneOf": [{"$ref": f"#/$defs/{name}"}]}).validate(document)
    form.validate(document)
