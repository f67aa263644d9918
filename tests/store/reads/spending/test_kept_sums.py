"""Sums that are kept between two looks at the store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from spendtop.domain.clock import SECOND
from spendtop.store.engine import Store
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.kept_sums import KeptSums, Key, Values


def test_a_reading_that_fails_in_its_midst_counts_nothing(sqlite_store: Store) -> None:
    is_broken = True

    def grouping(connection: Connection, span: Span) -> Iterator[tuple[Key, Values]]:
        yield ("openai",), (1, 500)
        if is_broken:
            raise OSError("the server is gone")
        yield ("groq",), (2, 700)

    sums = KeptSums(grouping)
    span, now = Span(0, 30 * SECOND), 30 * SECOND
    with pytest.raises(OSError):
        sums.read(sqlite_store, span, now, lambda: True)
    is_broken = False
    assert sums.read(sqlite_store, span, now, lambda: True)
    assert sums.by_key == {("openai",): (1, 500), ("groq",): (2, 700)}
