"""Reports in a browser: they open alone and at once, move points as the flow does, and serve every reader."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import erlangen as er
from erlangen.cli import main
from erlangen.derivative import move
from erlangen.dynamics import Equations
from erlangen.fields.trajectories import Trajectories
from erlangen.reports import report
from erlangen.reports._flow import flow_card, flow_data, flow_script

CHECKS = (Path(__file__).parent / "page_checks.js").read_text("utf-8")
LARGEST = 6_000_000
SLOWEST = 2.0
"""Seconds until the first figure is there: of the page's own thread, as what else runs on the machine is not its fault,
and the better of two loads, as the first one of a session waits for the disk."""

SOFTWARE = ("GL Driver Message", "willReadFrequently")
"""Advice of Chromium on its own drawing without a graphics card, on whatever page has a picture in space."""

FIRST_FIGURE = """
new MutationObserver((_, self) => {
  if (document.querySelector(".main-svg")) { window.firstFigure = true; self.disconnect() }
}).observe(document, {childList: true, subtree: true});
addEventListener("DOMContentLoaded", () => document.querySelector(".plot").scrollIntoView());
"""


# --- the pages


def planets(path: Path) -> None:
    """Write the page of the demo, as a user does."""
    assert main(["demo", "--report", str(path), "--quiet"]) == 0


@cache
def bowl() -> er.Symmetry:
    """A field whose values colour the points; what moves in space is on the page of the planets."""
    return er.discover("x**2 + y**2", er.actions.affine(2), er.Samples.box(-1, 1, dim=2))


def spring(path: Path) -> None:
    """Write the page of given equations beside noisy runs of them."""
    found, t, rng = (
        Equations.from_text({"x": "v", "v": "-x - 0.2*v"}),
        np.linspace(0, 10, 120),
        np.random.default_rng(0),
    )
    runs = [found.simulate(start, t).states + 0.01 * rng.normal(size=(120, 2)) for start in ([1.0, 0.0], [0.2, 1.5])]
    report(found, path, data=Trajectories.from_arrays(runs, t, names=["x", "v"]), title="A spring")


PAGES: dict[str, Callable[[Path], object]] = {
    "planets": planets,
    "bowl": lambda path: report(bowl(), path),
    "spring": spring,
}


@dataclass
class Opened:
    """A page in the browser, and what it did there."""

    page: Any
    path: Path
    seconds: float
    told: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def opened(browser, tmp_path_factory) -> Callable[[str], Opened]:
    """Write a page, and open it."""
    folder = tmp_path_factory.mktemp("pages")

    def get(name: str) -> Opened:
        path = folder / f"{name}.html"
        PAGES[name](path)
        return _open(browser, path)

    return get


def _open(browser, path: Path) -> Opened:
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.set_default_timeout(120_000)  # where the machine is busy; what a page itself may take is asserted
    one = Opened(page, path, np.inf)

    def hear(message: Any) -> None:
        if message.type in ("error", "warning") and not any(words in message.text for words in SOFTWARE):
            one.told.append(f"{message.type}: {message.text}")

    def fetch(route: Any) -> None:
        if route.request.url == path.as_uri():
            return route.continue_()
        one.asked.append(route.request.url)
        return route.abort()

    page.on("console", hear)
    page.on("pageerror", lambda error: one.told.append(str(error)))
    page.route("**/*", fetch)
    page.add_init_script(FIRST_FIGURE)
    meter = page.context.new_cdp_session(page)
    meter.send("Performance.enable", {"timeDomain": "threadTicks"})
    for _ in range(2):
        page.goto(path.as_uri())
        page.wait_for_function("window.firstFigure")
        numbers = {one["name"]: one["value"] for one in meter.send("Performance.getMetrics")["metrics"]}
        one.seconds = min(one.seconds, numbers["ThreadTime"])
        if one.seconds < SLOWEST:
            break
    return one


# --- what they do


@pytest.mark.parametrize("name", PAGES)
def test_a_report_in_a_browser(opened, name):
    """One test a page, as opening one is what takes time; what is asked of it is said below."""
    one = opened(name)
    opens_alone_and_at_once(one)
    if name in MOVED:
        MOVED[name](one.page)
    for scheme in ("light", "dark"):
        serves_every_reader(one.page, scheme)
    the_keyboard_reaches_every_control(one.page)
    fits_a_phone_and_paper(one.page)
    assert (one.told, one.asked) == ([], [])


def opens_alone_and_at_once(one: Opened) -> None:
    one.page.evaluate("erlangen.paintAll()")
    one.page.wait_for_function("[...document.querySelectorAll('.plot')].every(p => p.querySelector('.main-svg'))")
    assert one.path.stat().st_size < LARGEST
    assert (one.told, one.asked) == ([], [])
    assert one.seconds < SLOWEST


def slide(page: Any, key: str, times: int = 1) -> float:
    """Move the slider by the keyboard, and return the time of the flow."""
    page.focus("#flow-time")
    for _ in range(times):
        page.keyboard.press(key)
    return page.evaluate("erlangen.flow.time()")


def flatten(page: Any) -> None:
    """Choose a view in the plane: pictures in space take a second each where no graphics card draws them."""
    page.focus("#flow-z")
    page.keyboard.press("Home")
    assert page.evaluate("erlangen.flow.axes()[2]") == -1


def choose(page: Any, k: int) -> None:
    """Choose a generator by the keyboard."""
    page.focus("#flow-generator")
    page.keyboard.press("Home")
    for _ in range(k):
        page.keyboard.press("ArrowDown")
    assert page.evaluate("erlangen.flow.generator()") == k


def points_of(page: Any) -> tuple[np.ndarray, np.ndarray]:
    """Points as they were, and moved: as the page computes them, and the ones that it has drawn."""
    moved = np.array(page.evaluate("erlangen.flow.points()"))
    drawn = "(() => {const t = document.getElementById('flow-plot').data[3]; return [t.x, t.y]})()"
    on_screen = np.array([list(v.values()) if isinstance(v, dict) else v for v in page.evaluate(drawn)]).T
    np.testing.assert_allclose(on_screen, moved[:, page.evaluate("erlangen.flow.axes()")[:2]], rtol=1e-6, atol=1e-12)
    return np.array(page.evaluate("erlangen.flow.start()")), moved


def affine(sym: er.Symmetry, k: int, start: np.ndarray, t: float) -> np.ndarray:
    """Where the k-th generator takes points, by the exponential of its matrix."""
    assert isinstance(sym.candidates, er.actions.PolynomialAction)
    listed = (*sym.found.generators, *sym.found.own)
    matrix = np.tensordot(listed[k].xi, er.actions.matrices_of(sym.candidates), axes=1)
    padded = np.c_[start, np.ones(len(start))][:, : len(matrix)]
    return (padded @ expm(t * matrix).T)[:, : start.shape[1]]


def kepler(start: np.ndarray, t: float) -> np.ndarray:
    """Newton's law of gravitation."""

    def rate(_: float, flat: np.ndarray) -> np.ndarray:
        x, v = np.split(flat.reshape(start.shape), 2, axis=1)
        return np.hstack([v, -x / np.linalg.norm(x, axis=1, keepdims=True) ** 3]).ravel()

    return solve_ivp(rate, (0, t), start.ravel(), "DOP853", rtol=1e-10, atol=1e-12).y[:, -1].reshape(start.shape)


def moves_as_generators_do(page: Any, found: er.Symmetry) -> None:
    page.locator("#flow-plot").scroll_into_view_if_needed()
    page.wait_for_function("document.getElementById('flow-plot').data")
    flatten(page)
    for k in range(found.dim):
        choose(page, k)
        slide(page, "Home")
        t = slide(page, "ArrowRight", 2 + k)
        start, moved = points_of(page)
        assert t != 0 and np.abs(moved - start).max() > 0.05
        np.testing.assert_allclose(moved, affine(found, k, start, t), atol=1e-8)
        assert page.locator("#flow-said").inner_text().startswith("Moved for t =")
    page.click("#flow-reset")
    np.testing.assert_array_equal(*points_of(page))


def planets_turn_and_go_round_the_sun(page: Any) -> None:
    page.locator("#flow-plot").scroll_into_view_if_needed()
    page.wait_for_function("document.getElementById('flow-plot').data")
    texts = page.evaluate("FLOW.generators.map(g => g.text)")
    about, later = (next(k for k, t in enumerate(texts) if t.startswith(w)) for w in ("x d/dy", "the flow itself"))
    flatten(page)
    choose(page, about)
    slide(page, "End")
    t = slide(page, "ArrowLeft", 3)
    start, moved = points_of(page)
    turn = np.kron(np.eye(2), [[np.cos(t), -np.sin(t), 0], [np.sin(t), np.cos(t), 0], [0, 0, 1]])
    np.testing.assert_allclose(moved, start @ turn.T, atol=1e-7)
    assert "up to rounding" in page.locator("#flow-said").inner_text()
    choose(page, later)
    for key, times, error in (("End", 1, 1e-5), ("ArrowLeft", 10, 2e-3)):  # on a frame, and between two of them
        t = slide(page, key, times)
        start, moved = points_of(page)
        np.testing.assert_allclose(moved, kepler(start, t), atol=error)
    assert np.abs(moved - start).max() > 0.05


def every_panel_is_drawn(page: Any) -> None:
    text = re.sub(r"<script.*?</script>", "", page.content(), flags=re.DOTALL)
    assert text.count('class="scatterlayer') >= 5 + 2 * 2  # one a panel
    assert text.count('class="point"') > 4 * 120 and "NaN" not in text


MOVED: dict[str, Callable[[Any], None]] = {
    "planets": planets_turn_and_go_round_the_sun,
    "bowl": lambda page: moves_as_generators_do(page, bowl()),
    "spring": every_panel_is_drawn,
}


def view(page: Any, data: dict[str, Any]) -> None:
    """Open the view of a flow without the library that draws, which is most of a page."""
    page.goto("about:blank")
    stubs = "const drawn=new Set(),register=()=>{};window.erlangen={};"
    page.set_content(f"<main>{flow_card(data)}</main><script>{stubs}{flow_script(data)}</script>")


FLOWS = {
    "turn": (lambda x: (x**2).sum(axis=1), er.actions.affine(2), (0, 1e3, 1e6)),
    "boost in other units": (lambda x: (300 * x[:, 0]) ** 2 - x[:, 1] ** 2, er.actions.affine(2), (1e6,)),
    "curved": (lambda x: x[:, 1] - x[:, 0] ** 2, er.actions.polynomial(2, 2), (10,)),
}


@pytest.fixture(scope="module")
def empty(browser) -> Iterator[Any]:
    page = browser.new_page()
    yield page
    page.close()


@pytest.mark.parametrize(("function", "candidates", "centres"), FLOWS.values(), ids=list(FLOWS))
def test_points_move_as_in_python_however_far_from_the_origin(empty, function, candidates, centres):
    page = empty
    for c in centres:
        points = np.random.default_rng(0).uniform(-1, 1, size=(200, 2)) + c
        found = er.discover(lambda x, c=c: function(x - c), candidates, points)
        view(page, flow_data(found) or {})
        xi, span = found.generators[0], page.evaluate("FLOW.generators[0].span")
        for t in (0.7 * span, -0.2 * span):
            page.evaluate(f"erlangen.flow.moveTo({t})")
            start, moved = (np.array(page.evaluate(f"erlangen.flow.{which}()")) for which in ("start", "points"))
            np.testing.assert_allclose(start, found.points, atol=1e-6)
            there, _ = move(found.candidates, xi, t, start, np.zeros((len(start), 1)))
            spread = there.std(axis=0)
            np.testing.assert_allclose((moved - c) / spread, (there - c) / spread, atol=1e-6)
            before, after = function(start - c), function(moved - c)
            np.testing.assert_allclose(after, before, atol=1e-6 * np.ptp(before))
        told, near = page.locator("#flow-said").inner_text(), page.evaluate(WITHIN)
        assert "up to rounding" in told or "differ" in told
        assert (f"at the {near} of 200 dots" in told) == (near < 200)


WITHIN = """(() => {
  const start = erlangen.flow.start(), low = [0, 1].map(a => Math.min(...start.map(p => p[a])) - 1e-6),
    high = [0, 1].map(a => Math.max(...start.map(p => p[a])) + 1e-6);
  return erlangen.flow.points().filter(p => p.every((v, a) => v >= low[a] && v <= high[a])).length})()"""


INK = {"light": "rgb(28, 32, 38)", "dark": "rgb(232, 234, 237)"}
"""Colours of text in figures."""


def serves_every_reader(page: Any, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # the page paints itself again where that is another one
    page.wait_for_function(f"getComputedStyle(document.querySelector('.main-svg text')).fill === '{INK[scheme]}'")
    found = page.evaluate(CHECKS)
    faults = {key: value for key, value in found.items() if isinstance(value, list) and value}
    assert faults == {}
    assert found["language"] == "en" and found["title"] and found["texts"] > 40


def the_keyboard_reaches_every_control(page: Any) -> None:
    wanted = "[...document.querySelectorAll('button,select,input,summary')].filter(e => e.checkVisibility())"
    count = page.evaluate(f"{wanted}.forEach((e, k) => e.dataset.k = k) || {wanted}.length")
    page.evaluate("document.activeElement.blur(), getSelection().removeAllRanges(), scrollTo(0, 0)")
    page.locator("h1").click()
    reached, outlined = set(), True
    for _ in range(count + 30):
        page.keyboard.press("Tab")
        k, outline = page.evaluate("(e => [e.dataset.k, getComputedStyle(e).outlineStyle])(document.activeElement)")
        if k is not None:
            reached.add(int(k))
            outlined = outlined and outline != "none"
        if len(reached) == count:
            break
    assert reached == set(range(count)) and outlined


def fits_a_phone_and_paper(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate("erlangen.paintAll()")
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    page.emulate_media(media="print", color_scheme="dark")
    shown = "[...document.querySelectorAll('button,select,input')].filter(e => e.checkVisibility()).length"
    assert page.evaluate(shown) == 0
    page.set_viewport_size({"width": 690, "height": 975})  # a sheet of A4 less its margins
    page.evaluate("erlangen.paintAll()")
    cells = "[...document.querySelectorAll('.source table')].every(t => t.getBoundingClientRect().right <= innerWidth)"
    assert page.evaluate(cells)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert min(int(v) for v in ground[4:-1].split(",")[:3]) > 200
