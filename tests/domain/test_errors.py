"""Names that were probably meant."""

from __future__ import annotations

import pytest

from spendtop.domain.errors import nearest


@pytest.mark.parametrize(
    ("name", "meant"),
    [("modl", "model"), ("MODEL", "model"), ("berlin", "Europe/Berlin"), ("xyzzy", None), ("", None)],
)
def test_the_nearest_name_whatever_its_case(name: str, meant: str | None) -> None:
    assert nearest(name, ["model", "user", "Europe/Berlin"]) == meant


def test_nothing_is_near_where_nothing_is_known() -> None:
    assert nearest("model", ()) is None
