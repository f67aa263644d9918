from __future__ import annotations

import pytest

from spendtop.domain.config_slips import first_slip


@pytest.mark.parametrize(
    ("reason", "short"),
    [
        ("spendtop.toml:3: [limit] usd: no", "spendtop.toml:3: [limit] usd: no"),
        ("/etc/a b/spendtop.toml:3: [limit] usd: no", "spendtop.toml:3: [limit] usd: no"),
        ("/x/s.toml:3:7: not TOML\n/x/s.toml:9: no\n/x/s.toml:10: no", "s.toml:3:7: not TOML (and 2 more)"),
        ("/x/s.toml is gone. Put it back.", "/x/s.toml is gone. Put it back."),
        ("environment SPENDTOP_A__B: [a] b: no", "environment SPENDTOP_A__B: [a] b: no"),
        ("s.toml:1: a\x1b[31mb", "s.toml:1: a\u241b[31mb"),
        ("", ""),
    ],
)
def test_the_useful_part_comes_first(reason: str, short: str) -> None:
    assert first_slip(reason) == short
