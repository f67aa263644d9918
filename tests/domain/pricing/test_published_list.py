from __future__ import annotations

from datetime import UTC, datetime

from spendtop.domain.clock import to_micros
from spendtop.domain.pricing.published_list import bundled_list


def test_the_programs_own_list_says_what_is_known_of_it() -> None:
    bundled = bundled_list()
    assert bundled.version.name.startswith("genai-prices 0.")
    assert bundled.version.as_of is None and bundled.problem is None
    assert ("openai", "gpt-4o") in bundled.models and len(bundled.models) > 1000


def test_the_newest_price_is_one_that_holds_already() -> None:
    bundled = bundled_list()
    early, late = (to_micros(datetime(year, 9, 1, tzinfo=UTC)) for year in (2025, 2199))
    newest = bundled.newest_price(early)
    assert newest is not None and "2025-01" < newest <= "2025-09-01" < (bundled.newest_price(late) or "")
    assert bundled.newest_price(0) is None
