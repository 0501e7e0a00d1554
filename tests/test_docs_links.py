"""Links, anchors, pictures and code of the pages resolve, without a network.

What is read: the README and what lies beside it, and every page below docs. Relative links lead to files, and anchors
to headings by the rules of the parser that builds the pages; every page is in one table of contents; pictures exist
and are described in words; and no block of code escapes the tests because of how its fence is written.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from myst_parser.mdit_to_docutils.base import default_slugify

from tests.test_docs_examples import FENCE

ROOT = Path(__file__).parents[1]
DOCS, EXAMPLES = ROOT / "docs", ROOT / "examples"
MADE = ("_build", "gallery", "generated")  # what a build writes
TREE = [page for page in sorted(DOCS.rglob("*.md")) if page.relative_to(DOCS).parts[0] not in MADE]
PAGES = [*sorted(ROOT.glob("*.md")), *TREE]

RUN = ("python", "console")
NOT_RUN = ("text", "sh", "toml", "json", "bibtex")  # output, installation, settings, file contents, references
LEVELS = 3  # myst_heading_anchors in docs/conf.py

REPOSITORY = re.compile(r"`((?:examples|docs|tests|scripts|benchmarks)/[\w./-]+\.\w+)`")


@cache
def tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))


def pieces(page: Path, kind: str) -> Iterator[Token]:
    """Tokens of one kind, inside of paragraphs or beside them."""
    for token in tokens(page):
        yield from (piece for piece in (token, *(token.children or ())) if piece.type == kind)


@cache
def anchors(page: Path) -> set[str]:
    """What a link may end in: headings, numbered where they repeat, and targets with a name."""
    seen: Counter[str] = Counter()
    found = set(re.findall(r"^\(([\w-]+)\)=$", page.read_text(encoding="utf-8"), re.MULTILINE))
    for opened, inline in zip(tokens(page), tokens(page)[1:]):
        if opened.type == "heading_open" and int(opened.tag[1]) <= LEVELS:
            words = (child.content for child in inline.children or () if child.type in ("text", "code_inline"))
            slug = default_slugify("".join(words))
            found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
            seen[slug] += 1
    return found


def source(page: Path, target: str) -> Path:
    """The file that a target means: a page may be named without its ending, and the gallery is made of examples."""
    path = (page.parent / target).resolve()
    if path.is_relative_to(DOCS / "gallery"):
        inside = path.relative_to(DOCS / "gallery")
        return EXAMPLES / inside.parent / ("GALLERY_HEADER.rst" if inside.stem == "index" else f"{inside.stem}.py")
    if path.suffix == ".rst" or (not path.suffix and not path.exists()):
        return path.with_suffix(".md")
    return path


def broken(page: Path) -> Iterator[str]:
    """Links of a page that lead nowhere."""
    for token in pieces(page, "link_open"):
        link = str(token.attrs["href"])
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        path = source(page, target) if target else page
        if not path.exists():
            yield f"{link}: no file {path}"
        elif anchor and (path.suffix != ".md" or anchor not in anchors(path)):
            yield f"{link}: no heading #{anchor}"


def contents(page: Path) -> list[Path]:
    """The pages that the tables of contents of a page name."""
    blocks = [token.content for token in pieces(page, "fence") if token.info.startswith("{toctree}")]
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    names = [re.sub(r"^.*<(.+)>$", r"\1", line) for line in lines if line and not line.startswith(":")]
    return [source(page, name) for name in names]


def undescribed(page: Path) -> Iterator[str]:
    """Pictures that are missing, or that say nothing to who cannot see them."""
    text = page.read_text(encoding="utf-8")
    for token in pieces(page, "image"):
        yield from _picture(page, str(token.attrs["src"]), token.content)
    for match in re.finditer(r"<img\b[^>]*>", text):
        told = dict(re.findall(r'(\w+)="([^"]*)"', match[0]))
        yield from _picture(page, told.get("src", ""), told.get("alt", ""))
    for token in pieces(page, "fence"):
        options = dict(re.findall(r"^:(\w+): *(.*)$", token.content, re.MULTILINE))
        if token.info.startswith(("{image}", "{figure}")):
            yield from _picture(page, token.info.partition("}")[2].strip(), options.get("alt", ""))
        elif token.info.startswith("{raw}") and "file" in options:
            drawing = (page.parent / options["file"]).read_text(encoding="utf-8")
            yield from _picture(page, options["file"], "".join(re.findall(r"<title[^>]*>(.+?)</title>", drawing)))


def _picture(page: Path, name: str, words: str) -> Iterator[str]:
    if not re.match(r"[a-z]+:", name) and not (page.parent / name).is_file():
        yield f"{name}: no such picture"
    if not words.strip():
        yield f"{name}: no words for who cannot see it"


def escaped(page: Path) -> Iterator[str]:
    """Blocks of code that no test would run, and that do not say so by their language."""
    run = 0
    for token in pieces(page, "fence"):
        if token.info in RUN:
            run += 1
        elif token.info not in NOT_RUN and not token.info.startswith("{"):
            yield f"line {token.map[0] + 1 if token.map else '?'}: a block of {token.info or 'no language'!r}"
    seen = sum(fence["language"] in RUN for fence in FENCE.finditer(page.read_text(encoding="utf-8")))
    if seen != run:
        yield f"{run} blocks of code, of which the tests see {seen}"


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path):
    assert not list(broken(page))
    files = REPOSITORY.findall(page.read_text(encoding="utf-8"))
    assert not [file for file in files if not (ROOT / file).exists()]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_pictures_exist_and_are_described(page: Path):
    assert not list(undescribed(page))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_code_escapes_the_tests(page: Path):
    assert not list(escaped(page))


def astray(tree: list[Path]) -> list[Path]:
    """Pages that are in no table of contents, or in two, and entries that are no pages."""
    listed = Counter(entry for page in tree for entry in contents(page))
    return [*(entry for entry in listed if not entry.exists()), *(p for p in tree if listed[p] != (p.stem != "index"))]


def test_every_page_is_in_one_table_of_contents():
    assert not astray(TREE)


@pytest.mark.parametrize(("entries", "wrong"), [("one", 0), ("", 1), ("one\none", 1), ("one\ntwo", 1)])
def test_a_page_that_is_astray_is_seen(entries: str, wrong: int, tmp_path: Path):
    index, one = tmp_path / "index.md", tmp_path / "one.md"
    index.write_text(f"# Start\n\n```{{toctree}}\n:hidden:\n\n{entries}\n```\n")
    one.write_text("# One\n")
    assert len(astray([index, one])) == wrong


def test_every_example_is_in_a_group_of_the_gallery():
    groups = {path.parent for path in EXAMPLES.rglob("*.py")}
    assert EXAMPLES not in groups
    assert not [name(group) for group in groups if not (group / "GALLERY_HEADER.rst").exists()]


WRONG = {
    "[gone](gone.md)": broken,
    "[here](#nowhere)": broken,
    "[there](api.md#nowhere)": broken,
    "[no example](gallery/discover/nothing)": broken,
    "![a cat](cat.png)": undescribed,
    "![](_static/logo.svg)": undescribed,
    "```{image} _static/logo.svg\n```": undescribed,
    '<img src="_static/logo.svg">': undescribed,
    "```ruby\nputs 1\n```": escaped,
    "```\n1 / 0\n```": escaped,
    "```python linenos\n1 / 0\n```": escaped,
    "- a list\n\n  ```python\n  1 / 0\n  ```": escaped,
    "~~~python\n1 / 0\n~~~": escaped,
}
RIGHT = """# Two words, and `code`

[here](#two-words-and-code) [a page](api.md#questions) [outside](https://example.org) [the gallery](gallery/index)

![the emblem](_static/logo.svg)

```python
1 + 1
```
"""


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_seen(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(globals(), "DOCS", tmp_path)
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "logo.svg").write_text("<svg/>")
    (tmp_path / "api.md").write_text("# Public names\n\n## Questions\n")
    page = tmp_path / "page.md"
    page.write_text(RIGHT)
    assert not [*broken(page), *undescribed(page), *escaped(page)]
    tokens.cache_clear()
    page.write_text(RIGHT + "\n" + text + "\n")
    assert len(list(WRONG[text](page))) == 1
