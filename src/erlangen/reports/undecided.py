"""The story of a question that the data do not decide: why, and what would."""

from __future__ import annotations

import html
from typing import Any

from erlangen._errors import UndecidedError
from erlangen.reports._page import card
from erlangen.reports._story import Story


def story(error: UndecidedError, data: Any = None) -> Story:
    """Return what a page says where there is no answer."""
    first, _, rest = str(error).partition("\n")
    why = f"<pre>{html.escape(rest or first)}</pre>"
    note = "No answer follows from these data at the accuracy that was asked for. This is what is in the way."
    return Story(f"Not decided: {first}", [card("Why the data do not decide", why, note, wide=True)], title="Undecided")
