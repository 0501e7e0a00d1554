"""What is logged: nothing unasked, and steps with their times where they are asked for."""

from __future__ import annotations

import logging
import re

import pytest

LINE = re.compile(r"debug +\d+\.\d{3} s \(\+\d+\.\d{3}\) erlangen[\w.]*: .+")


@pytest.mark.parametrize("before", [True, False])
def test_debug_shows_steps_with_their_times(call, files, before):
    words = ["discover", "function", files / "ball.csv", "--target", "energy", "--candidates", "rotation"]
    code, out, err = call("--debug", *words) if before else call(*words, "--debug")
    lines = err.splitlines()
    assert code == 0 and all(LINE.fullmatch(line) for line in lines)
    assert "reading ball.csv" in lines[0] and lines[-1].endswith("erlangen: done")
    assert any("erlangen.verbs.discover: 3 directions decide" in line for line in lines)
    assert out == call(*words).out  # and nothing of it stays


def test_nothing_is_logged_unasked_and_no_handler_stays(call, files):
    logger = logging.getLogger("erlangen")
    before = list(logger.handlers), logger.level
    assert call("identify", files / "so3.npz", "--debug").err and call("identify", files / "so3.npz").err == ""
    assert (list(logger.handlers), logger.level) == before and logger.level == logging.NOTSET


def test_a_log_file_grows_and_the_screen_stays_quiet(call, files):
    log = files / "run.log"
    assert call("--log-file", log, "identify", files / "so3.npz", "-q") == (0, "so(3)\n", "")
    once = log.read_text().splitlines()
    assert all(LINE.fullmatch(line) for line in once) and "naming the algebra" in log.read_text()
    call("--log-file", log, "identify", files / "so3.npz", "-q")
    assert len(log.read_text().splitlines()) == 2 * len(once)
    code, out, err = call("--log-file", files / "no" / "run.log", "identify", files / "so3.npz")
    assert (code, out) == (2, "") and "run.log" in err


def test_debug_before_the_command_shows_tracebacks(call, files):
    code, _, err = call("--debug", "identify", files / "so4.npz")
    assert code == 2 and "Traceback" in err


def test_names_in_what_is_logged_cannot_steer_a_terminal(call, files):
    (files / "so3.npz").rename(files / "a\x1b[31m.npz")
    err = call("identify", files / "a\x1b[31m.npz", "--debug").err
    assert "\x1b" not in err and r"a\x1b[31m.npz" in err
