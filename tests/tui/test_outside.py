"""The terminal's bell and title, as they reach it."""

from __future__ import annotations

import re
import signal

from sqlalchemy import insert

from spendtop.store.engine import Store
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable
from tests.conftest import SettableClock
from tests.tui.alerts.test_screen import an_alert
from tests.tui.conftest import Till
from tests.tui.pty_face import PtyFace

TITLE = b"\x1b]2;spendtop prod $0.390 +6?"


def begin(store: Store, **alert: object) -> None:
    with store.writing() as connection:
        connection.execute(insert(table_of(AlertTable)), alert)


def rings(face: PtyFace) -> int:
    """How often the bell was rung: it also ends other sequences."""
    return re.sub(rb"\x1b\][^\x07]*\x07", b"", face.sent).count(b"\x07")


def test_an_alert_that_begins_rings_once_and_is_in_the_title_which_is_given_back(
    store: Store, filled: Till, clock: SettableClock
) -> None:
    begin(store, **an_alert(clock()))
    assert store.path is not None
    with PtyFace(store.path, clock(), "--bell", "--title") as face:
        face.until("!1")
        face.press("6")
        face.until("nobody takes care")
        assert (rings(face), face.sent.count(TITLE + b" !1\x07")) == (0, 1)
        begin(store, **an_alert(clock(), entity="bob"))
        face.until("!2")
        face.end(signal.SIGTERM)
    assert rings(face) == 1
    assert face.sent.count(TITLE + b" !2\x07") == 1
    assert face.sent.count(b"\x1b[22;2t") == face.sent.count(b"\x1b[23;2t") == 1
