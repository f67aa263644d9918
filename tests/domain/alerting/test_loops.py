"""What is a loop, what only looks like one, and when it begins and is over."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from spendtop.domain.alerting.episode import MessageKind
from spendtop.domain.alerting.loops import OVER_AFTER, LoopCall, LoopRule, decide, find
from spendtop.domain.clock import MINUTE, SECOND
from spendtop.domain.money import Usd

RULE = LoopRule(calls=10, least=Usd.of("0.50"))
STEP = "The check still fails: expected 0 rows with NULL due_on, found {}. Continue with the next step after {} s."


def calls(
    texts: Sequence[str | None], apart: int = 5 * SECOND, cost: str = "0.10", size: int = 26_217
) -> list[LoopCall]:
    return [LoopCall(number * apart, 26_217, text, Usd.of(cost).nano) for number, text in enumerate(texts)]


def same(number: int) -> list[str | None]:
    """An agent that is told the same again and again, with other numbers."""
    return [STEP.format(at * 7, at / 3) for at in range(number)]


def test_prompts_that_differ_by_numbers_only_are_a_loop_with_its_evidence() -> None:
    found = find(RULE, calls(same(24)))
    assert found is not None
    assert (found.calls, found.alike, found.by_size, found.cost) == (24, 1.0, False, Usd.of("2.40"))
    assert found.words == "24 calls within 1 min 55 s, prompts 100 % alike, $1.25/min"


@pytest.mark.parametrize(
    "made",
    [
        calls(same(9)),
        calls(same(24), cost="0.01"),
        calls(same(24), apart=2 * MINUTE),
        calls([f"{topic} of the {topic} report, please summarise it." for topic in "abcdefghijklmnopqrst"]),
        calls([*same(20), "Thank you, now write the summary for the team instead."]),
        calls([None] * 19),
        [call._replace(size=call.at // SECOND) for call in calls([None] * 30)],
    ],
    ids=["few", "cheap", "slow", "other words", "went on", "few without prompts", "sizes differ"],
)
def test_what_is_few_cheap_slow_or_different_is_none(made: list[LoopCall]) -> None:
    assert find(RULE, made) is None


def test_without_prompts_equal_sizes_at_a_pace_are_said_as_such() -> None:
    found = find(RULE, calls([None] * 20))
    assert found is not None
    assert "20 calls" in found.words and "prompts of the same size" in found.words


def test_a_conversation_that_goes_on_is_none() -> None:
    """Every turn says something else, though each sends all that was before again."""
    dice = Random(3)
    said = ("open", "read", "write", "test", "fix", "the", "file", "module", "error", "line", "value", "call")
    turns = [" ".join(dice.choices(said, k=40)) for _ in range(40)]
    assert find(RULE, calls(list(turns))) is None


def test_it_speaks_as_it_begins_and_when_it_is_over() -> None:
    found = find(RULE, calls(same(24)))
    assert found is not None
    begun = decide(None, found, found.until)
    assert begun.announce is MessageKind.LOOP and begun.episode is not None
    going_on = decide(begun.episode, found, found.until + OVER_AFTER - 1)
    assert (going_on.announce, going_on.episode) == (None, begun.episode)
    over = decide(begun.episode, found, found.until + OVER_AFTER)
    assert over.announce is MessageKind.RESOLVED
    assert decide(None, found, found.until + OVER_AFTER).episode is None
