from __future__ import annotations

from spendtop.services.recording import quarantine
from spendtop.services.recording.preparation import SetAside
from spendtop.store import bodies
from spendtop.store.engine import Store
from tests.conftest import SettableClock
from tests.services.conftest import Collecting


def aside(name: str, kind: str = "unrecognized", raw: bytes | None = None) -> SetAside:
    return SetAside(name.encode().ljust(16), "helicone", kind, "why", 5, 9, raw)


def test_open_events_are_those_that_are_not_understood_yet(store: Store, clock: SettableClock) -> None:
    raw = bodies.encode(b'{"a": 1}', None)[1]
    events = [aside("a", raw=raw), aside("test", "test"), aside("b"), aside("c")]
    with store.writing() as connection:
        outcomes = Collecting(store, clock).recording.record(connection, events)
        quarantine.close(connection, outcomes[3].id)
    with store.reading() as connection:
        found = list(quarantine.open_events(connection, None))
        assert [row.id for row in found] == [outcomes[0].id, outcomes[2].id]
        assert [quarantine.raw_of(row) for row in found] == [b'{"a": 1}', None]
        chosen = list(quarantine.open_events(connection, [outcomes[2].id, outcomes[3].id, outcomes[1].id]))
        assert [row.id for row in chosen] == [outcomes[2].id]
        assert list(quarantine.open_events(connection, [])) == []
