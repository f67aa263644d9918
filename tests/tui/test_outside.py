"""The terminal's bell and title, as they reach it."""

from __future__ import annotations

import re
import signal
from types import SimpleNamespace
from typing import cast

from sqlalchemy import insert

from spendtop.domain.clock import HOUR
from spendtop.services.alerting.actions import silence
from spendtop.store.engine import Store
from spendtop.store.reads.alerts.attention import Attention, attention
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable
from spendtop.tui.headline import Headline
from spendtop.tui.outside import Outside
from tests.conftest import SettableClock
from tests.tui.alerts.test_screen import an_alert
from tests.tui.conftest import Sessions, Till
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


def test_the_bell_goes_by_which_alerts_there_are_and_not_by_how_many(session_over: Sessions) -> None:
    sent: list[str] = []
    outside = Outside(session_over(bell=True), sent.append)
    rang = []
    for unattended, newest in ((1, 4), (1, 5), (0, 0), (1, 5), (2, 5), (2, 7), (1, 4)):
        waits = Attention(0, 0, 0, 0, 2, unattended, 0, newest=newest)
        outside.tell(cast(Headline, SimpleNamespace(attention=waits)))
        rang.append(len(sent))
    assert rang == [0, 1, 1, 1, 1, 2, 2]  # as 5 follows 4, and as 7 begins; not as 5 is taken on, and left again


def test_a_silenced_alert_is_not_the_newest_of_those_that_call(store: Store, clock: SettableClock) -> None:
    begin(store, **an_alert(clock()))
    begin(store, **an_alert(clock(), entity="bob", severity="warning"))
    with store.writing() as connection:
        before = attention(connection, clock())
        silence(connection, "severity:warning", clock() + HOUR, "ann", clock())
        after = attention(connection, clock())
    assert (before.unattended, after.unattended, after.newest) == (2, 1, before.newest - 1)
