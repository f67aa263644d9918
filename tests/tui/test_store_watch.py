"""What the watching thread tells."""

from __future__ import annotations

from spendtop.tui.store_watch import StoreChanged, StoreOpened


def test_changes_in_a_row_are_one_message() -> None:
    assert StoreChanged().can_replace(StoreChanged())
    assert not StoreChanged().can_replace(StoreOpened.__new__(StoreOpened))
