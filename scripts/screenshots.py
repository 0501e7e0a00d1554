"""Pictures of the report of the planets for the documentation: light, dark, on a phone.

    python scripts/screenshots.py [FOLDER]

Writes docs/_static/report-*.png, each at most 250 kB. It needs Chromium, Playwright and Pillow.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from erlangen.cli import main

LARGEST = 250_000
COLOURS = 255

SHOTS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1180, "height": 1430}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1180, "height": 860}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "has_touch": True, "is_mobile": True},
}
SEEN = {"light": "#content", "dark": "#flow", "phone": "#flow"}
"""What is at the top of each picture."""


def settled(page: Page, place: str) -> None:
    """Scroll to a place, move the slider where there is one on the screen, and wait until all is drawn."""
    page.evaluate("erlangen.paintAll()")
    page.evaluate("place => document.querySelector(place).scrollIntoView()", place)
    if place == "#content":
        page.evaluate("scrollTo(0, 0)")
    else:
        page.evaluate("erlangen.flow.moveTo(erlangen.flow.data.generators[0].span / 4)")
    page.wait_for_function("[...document.querySelectorAll('.plot')].every(p => p.querySelector('.main-svg'))")
    page.wait_for_timeout(1500)


def small(picture: bytes) -> bytes:
    """The same picture with as few colours as fit a documentation."""
    out = io.BytesIO()
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image = image.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)  # keeps colours of thin lines
    image.save(out, "PNG", optimize=True)
    if len(out.getvalue()) > LARGEST:
        raise SystemExit(f"a picture of {len(out.getvalue())} bytes, more than {LARGEST}")
    return out.getvalue()


def shoot(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as started:
        path = Path(scratch) / "planets.html"
        if main(["demo", "--report", str(path), "--quiet"]) != 0:
            raise SystemExit("the demo has no answer")
        text = path.read_text("utf-8").replace(f"{scratch}/", "")  # a picture says nothing of this machine
        path.write_text(text, "utf-8")
        chromium = started.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, settings in SHOTS.items():
            page = chromium.new_context(**settings).new_page()
            page.goto(path.as_uri())
            settled(page, SEEN[name])
            target = folder / f"report-{name}.png"
            target.write_bytes(small(page.screenshot()))
            print(f"{target}: {target.stat().st_size / 1000:.0f} kB")
        chromium.close()


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "docs" / "_static"
    folder.mkdir(parents=True, exist_ok=True)
    shoot(folder)
