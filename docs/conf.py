from __future__ import annotations

import re
import sys
import warnings
from importlib.metadata import version as installed_version
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert

sys.path.insert(0, str(Path(__file__).parent))  # for _gallery

project = "erlangen"
author = "the erlangen developers"
copyright = "2026, the erlangen developers"
release = installed_version("erlangen")
version = ".".join(release.split(".")[:2])

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "gallery/*.py", "gallery/*.ipynb", "gallery/*.md5"]
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "erlangen"
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["erlangen.css"]
html_logo = html_favicon = "_static/logo.svg"
html_math_renderer = "mathml"  # pages need no script and no network to show a formula

# What is typed, not what is printed, goes to the clipboard.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# Every example is run when the pages are built, and a failure is a failure of the build.
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": "/",
    "image_scrapers": ("matplotlib", "_gallery.figures"),
    "subsection_order": [f"../examples/{part}" for part in ("discover", "evidence", "enforce", "promote", "dynamics")],
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "thumbnail_size": (400, 280),
    "image_srcset": ["2x"],
    "reset_modules": ("matplotlib",),
    "remove_config_comments": True,
    "show_signature": False,
    "min_reported_time": 3600,
    "write_computation_times": False,
    "download_all_examples": False,
}
warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")

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


# An absolute value or a quotient within a line is not an operator with space on both sides.
_BARS = re.compile(r"<mo([^>]*)>(&#x0007C;|&#x02016;|&#x0002F;)</mo>")


def _formula(self, node) -> None:
    """Write a formula as MathML, which browsers draw themselves."""
    display = "block" if node.tagname == "math_block" else "inline"
    self.body.append(_BARS.sub(r'<mo\1 lspace="0" rspace="0">\2</mo>', convert(node.astext(), display=display)))
    raise nodes.SkipNode


def setup(app) -> None:
    app.add_html_math_renderer("mathml", inline_renderers=(_formula, None), block_renderers=(_formula, None))
    app.connect("autodoc-skip-member", _skip)
    app.connect("autodoc-process-docstring", _escape, priority=100)  # before numpydoc adds markup of its own
