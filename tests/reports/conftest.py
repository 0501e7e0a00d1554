"""One browser for all pages: starting it takes longer than opening one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A browser without a window; where there is none, tests that open pages say so."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed: no page is opened here")
    playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright is installed: no page is opened here")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def drawn(browser) -> Callable[[Path], str]:
    """Draw every figure of a page, and return what the page then is; errors on it are failures."""

    def get(path: Path) -> str:
        page, told = browser.new_page(), []
        page.set_default_timeout(120_000)
        page.on("pageerror", lambda error: told.append(str(error)))
        page.goto(path.as_uri())
        page.evaluate("erlangen.paintAll()")
        page.wait_for_function("[...document.querySelectorAll('.plot')].every(p => p.querySelector('.main-svg'))")
        text = page.content()
        page.close()
        assert told == []
        return text

    return get
