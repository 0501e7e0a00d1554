from __future__ import annotations

import re
from importlib.metadata import version as installed_version

project = "erlangen"
author = "the erlangen developers"
copyright = "2026, the erlangen developers"
release = installed_version("erlangen")
version = ".".join(release.split(".")[:2])

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
]
exclude_patterns = ["_build"]
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "erlangen"
html_show_sourcelink = False

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings give types together with shapes
autosummary_generate = False
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

# Docstrings are written for readers of the source: |x| is an absolute value, theta_ an attribute that fit has
# learned. reStructuredText would read a substitution and a link, neither of which is ever meant.
_LITERAL = re.compile(r"(``.*?``|`[^`]*`)")
_PARAMETER = re.compile(r"^\s*[\w, ]+ : ")  # names, which numpydoc escapes itself
_MARKUP = re.compile(r"\||(?<=\w)_(?!\w)(?!:)")


def _escape_line(line: str) -> str:
    if line.lstrip().startswith((">>>", "...", "..")):
        return line
    names = _PARAMETER.match(line)
    kept = names.group() if names else ""
    pieces = _LITERAL.split(line[len(kept) :])
    return kept + "".join(
        piece if i % 2 else _MARKUP.sub(lambda m: "\\" + m.group(), piece) for i, piece in enumerate(pieces)
    )


def _escape(app, what, name, obj, options, lines) -> None:
    inside_example = False
    for i, line in enumerate(lines):
        inside_example = bool(line.strip()) and (inside_example or line.lstrip().startswith(">>>"))
        if not inside_example:
            lines[i] = _escape_line(line)


def _skip(app, what, name, obj, skip, options) -> bool | None:
    # What scikit-learn adds to every estimator links to scikit-learn's own pages, which are not built here.
    return True if re.fullmatch("set_[a-z]+_request", name) else None


def setup(app) -> None:
    app.connect("autodoc-skip-member", _skip)
    app.connect("autodoc-process-docstring", _escape, priority=100)  # before numpydoc adds markup of its own
