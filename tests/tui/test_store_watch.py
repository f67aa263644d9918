"""What the watching thread tells."""

from __future__ import annotations

from msgspec.structs import replace
from textual.message import Message

from spendtop.store.engine import Store
from spendtop.tui.store_watch import StoreChanged, StoreOpened, StoreWatch, WatchFailed
from tests.tui.conftest import Sessions


def test_changes_in_a_row_are_one_message() -> None:
    assert StoreChanged().can_replace(StoreChanged())
    assert not StoreChanged().can_replace(StoreOpened.__new__(StoreOpened))


def test_whatever_ends_the_watch_is_told(session_over: Sessions) -> None:
    def leave(_upgraded: object) -> Store:
        raise SystemExit(0)

    told: list[Message] = []
    StoreWatch(replace(session_over(), connect=leave), told.append, lambda: None).run()
    (failed,) = told
    assert isinstance(failed, WatchFailed) and isinstance(failed.failure, SystemExit)
