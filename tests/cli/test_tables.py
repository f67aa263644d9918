from __future__ import annotations

import csv
import io
import sys
from decimal import Decimal

import pytest

from spendtop.cli.tables import csv_text, table
from spendtop.domain.spreadsheet import restored
from spendtop.domain.untrusted import Untrusted


def test_columns_are_as_wide_as_their_widest_cell_on_a_terminal() -> None:
    assert table(("name", ">cost"), [("a", "$1.00"), ("日本", None)]).splitlines() == [
        "name   cost",
        "a     $1.00",
        "日本      -",
    ]


def test_text_from_outside_moves_no_cursor() -> None:
    shown = table(("user",), [(Untrusted("\x1b[2Jbad\nuser\u202e"),)])
    assert "\x1b" not in shown and "\u202e" not in shown and len(shown.splitlines()) == 2


def test_a_long_name_from_outside_leaves_room_for_the_columns_behind_it() -> None:
    long = Untrusted("a" * 256)
    row = table(("user", "reason"), [(long, long)]).splitlines()[1]
    assert row == f"{'a' * 39}…  {'a' * 256}"


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_states_are_coloured_on_a_terminal_only_and_never_with_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("daily", "exceeded")]
    plain = table(("name", "state"), rows)
    assert "\x1b" not in plain
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", _Terminal())
    assert "\x1b[31mexceeded\x1b[0m" in table(("name", "state"), rows)
    monkeypatch.setenv("NO_COLOR", "1")
    assert table(("name", "state"), rows) == plain


HARMFUL = ["=1+1", "+x", "-1", "@x", "\t=1", " =x", "＝x", "\r=1", "\n=1"]


@pytest.mark.parametrize("text", HARMFUL)
def test_no_spreadsheet_takes_text_for_a_formula(text: str) -> None:
    ((_,), (cell,)) = csv.reader(io.StringIO(csv_text(("user",), [(text,)]), newline=""))
    assert cell.startswith("'") and restored(cell) == text


def test_text_from_outside_is_clean_in_csv_too() -> None:
    cells = list(csv.reader(io.StringIO(csv_text(("user",), [(Untrusted("=cmd\x1b"),)]), newline="")))
    assert cells[1] == ["'=cmd\\u001b"]


def test_csv_keeps_numbers_and_quotes_everything() -> None:
    text = csv_text(("a", "b"), [(Decimal("-1.50"), 'q"q'), (Decimal("0E-9"), None), (-5, "plain")])
    assert text == '"a","b"\r\n"-1.50","q""q"\r\n"0.000000000",""\r\n"-5","plain"\r\n'
