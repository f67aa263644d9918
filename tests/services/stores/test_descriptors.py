from __future__ import annotations

import resource

import pytest

from spendtop.services.stores.descriptors import Descriptors, raise_descriptor_limit


@pytest.mark.parametrize("total", [32, 64, 128, 256, 1024, 4096, 65_536, 2**31])
def test_the_shares_leave_enough_for_the_rest(total: int) -> None:
    shares = Descriptors(total)
    assert 0 < shares.followers + shares.reserved < shares.connections < total
    assert shares.deliveries >= 1
    assert total - shares.connections >= min(128, total // 2)


def test_with_plenty_each_share_has_an_end() -> None:
    shares = Descriptors(1_000_000)
    assert (shares.connections, shares.followers, shares.deliveries) == (2048, 32, 4)


@pytest.mark.parametrize(
    ("limits", "raised"),
    [
        ((256, 4096), (4096, 4096)),
        ((1024, resource.RLIM_INFINITY), (65_536, resource.RLIM_INFINITY)),
        ((1024, 1_048_576), (65_536, 1_048_576)),
        ((256, 256), None),
        ((100_000, 1_048_576), None),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), None),
    ],
)
def test_the_soft_limit_is_raised_and_never_lowered(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], raised: tuple[int, int] | None
) -> None:
    made: list[tuple[int, int]] = []
    monkeypatch.setattr("resource.getrlimit", lambda what: limits)
    monkeypatch.setattr("resource.setrlimit", lambda what, wanted: made.append(wanted))
    raise_descriptor_limit()
    assert made == ([] if raised is None else [raised])
