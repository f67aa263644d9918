"""The tree of a session's paths and its sums."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spendtop.domain.clock import HOUR
from spendtop.domain.money import Usd
from spendtop.domain.untrusted import Untrusted
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.sessions.paths import Branch, branches, path_spends
from spendtop.store.reads.spending.bucket_spans import Span
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START


def cost(nano: int) -> Spend:
    return Spend(1, Usd(nano), 0, 0, 0, 0)


def tree(**paths: int) -> list[tuple[int, str, int]]:
    """Depth, name and cost of each branch; `__` stands for a slash and `none` for no path."""
    spends = {
        None if name == "none" else Untrusted(name.replace("__", "/")): cost(nano) for name, nano in paths.items()
    }
    return [(each.depth, str(each.name), each.spend.cost.nano) for each in branches(spends)]


def test_a_branch_holds_what_lies_below_it_and_the_costliest_comes_first() -> None:
    assert tree(__a__x=1, __a__y=5, __b=4, __a=2) == [(0, "/a", 8), (1, "/y", 5), (1, "/x", 1), (0, "/b", 4)]


def test_segments_that_do_not_fork_are_one_branch() -> None:
    assert tree(__ci__review__diff=1, __ci__review__tests=2) == [
        (0, "/ci/review", 3),
        (1, "/tests", 2),
        (1, "/diff", 1),
    ]


def test_requests_without_a_path_are_a_branch_of_their_own_at_the_end() -> None:
    assert tree(__a=1, none=9) == [(0, "/a", 1), (0, "None", 9)]
    assert [each.is_last for each in branches({Untrusted("/a"): cost(1), None: cost(9)})] == [False, True]


def test_without_any_path_there_is_no_tree() -> None:
    assert branches({None: cost(3)}) == ()
    assert branches({}) == ()


@given(st.dictionaries(st.text("a/", min_size=1, max_size=7), st.integers(0, 9), min_size=1, max_size=12))
def test_the_branches_of_a_stem_sum_up_to_all_and_each_path_lies_in_one(paths: dict[str, int]) -> None:
    found = branches({Untrusted(path): cost(nano) for path, nano in paths.items()})
    stems = [each for each in found if each.depth == 0]
    assert sum(each.spend.cost.nano for each in stems) == sum(paths.values())
    assert all(any(_holds(each, path) for each in stems) for path in paths if path.strip("/"))


def _holds(branch: Branch, path: str) -> bool:
    assert branch.path is not None
    return "/".join(filter(None, path.split("/"))).startswith("/".join(filter(None, branch.path.raw.split("/"))))


def test_only_counted_requests_of_just_this_session_are_summed(recorded: Recorded) -> None:
    recorded.add(
        [
            recorded.request(START, 1, session_id="s", session_path="/a"),
            recorded.request(START + HOUR, 2, session_id="s", session_path="/a"),
            recorded.request(START, None, session_id="s", session_path="/b"),
            recorded.request(START, 4, session_id="s"),
            recorded.request(START, 8, session_id="S", session_path="/a"),
            recorded.request(START, 16, session_id="s", session_path="/a", counted=False),
        ]
    )
    found = path_spends(recorded.store, "s", Span(None, None))
    assert {path: (spend.requests, spend.cost.nano, spend.unpriced) for path, spend in found.items()} == {
        "/a": (2, 3, 0),
        "/b": (1, 0, 1),
        None: (1, 4, 0),
    }
