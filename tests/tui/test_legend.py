"""The legend has every sign that the screens draw."""

from __future__ import annotations

import pytest

from spendtop.tui.alerts.table import SIGNS as OF_ALERTS
from spendtop.tui.glyphs import ASCII, UNICODE, Glyphs
from spendtop.tui.legend import OF_GLYPHS, OF_PICTURES, legend
from spendtop.tui.widgets.gauge import SIGNS as OF_LIMITS


def test_every_glyph_has_a_meaning_or_only_frames_and_fills() -> None:
    assert {*Glyphs.__struct_fields__} == OF_GLYPHS.keys() | OF_PICTURES
    assert not OF_GLYPHS.keys() & OF_PICTURES


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_signs_stand_there_as_they_are_drawn(glyphs: Glyphs) -> None:
    signs = [sign for sign, _, _ in legend(glyphs)]
    assert {getattr(glyphs, name) for name in OF_GLYPHS} <= set(signs)
    in_rows = {*OF_LIMITS.values(), *(sign for sign, _ in OF_ALERTS.values())} - {" "}
    assert in_rows <= {part for sign in signs for part in sign.split()}


def test_names_are_short_and_meanings_fit_a_narrow_screen() -> None:
    for sign, name, meaning in legend(UNICODE):
        assert len(sign) <= 9
        assert name
        assert len(meaning) <= 100
