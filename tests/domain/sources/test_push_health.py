"""What is said of a provider's deliveries, and the way back."""

from __future__ import annotations

from typing import Any

import pytest

from spendtop.domain.sources import push_health
from spendtop.domain.sources.push_health import Destination, PushHealth, health_of, shortcomings, way_back
from spendtop.domain.sources.records import ANTHROPIC_PUSH, OPENROUTER_PUSH, PUSHES

EARLY, LATE = 1_795_000_000_000_000, 1_795_800_000_000_000


def destination(**fields: Any) -> Destination:
    return Destination(id="1", name="spendtop", address="https://spend.example.org", **fields)


WELL = destination(succeeded_at=LATE, failure="TLS failure", failed_at=EARLY)


def test_a_success_after_the_error_is_health() -> None:
    assert way_back(ANTHROPIC_PUSH, WELL) is None
    assert way_back(ANTHROPIC_PUSH, destination()) is None


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"failure": "TLS failure", "failed_at": LATE, "succeeded_at": EARLY}, "TLS failure"),
        ({"failure": "timeout", "failed_at": LATE}, "it delivered never"),
        ({"is_enabled": False, "disabled_why": "redirect"}, "in place of redirecting"),
        ({"is_enabled": False, "disabled_why": "caller"}, "somebody switched it off"),
        ({"is_enabled": False, "disabled_why": "brand_new\x1b"}, "brand_new"),
        ({"sampling": 0.1}, "only 10 %"),
    ],
)
@pytest.mark.parametrize("push", PUSHES, ids=str)
def test_what_is_amiss_comes_with_the_command_that_mends_it(push: Any, fields: dict[str, Any], said: str) -> None:
    sentence = way_back(push, destination(**fields))
    assert sentence is not None
    assert said in sentence and f"`spendtop {push.provider} " in sentence and "\x1b" not in sentence


def test_one_of_several_that_delivers_is_enough() -> None:
    off = destination(is_enabled=False, disabled_why="caller")
    assert health_of(ANTHROPIC_PUSH, [off, WELL]) == PushHealth(succeeded_at=LATE)
    assert health_of(ANTHROPIC_PUSH, []) == PushHealth(leads_here=False)


def test_samples_are_known_to_be_samples() -> None:
    assert health_of(OPENROUTER_PUSH, [destination(sampling=0.5)]).sampled
    assert not health_of(OPENROUTER_PUSH, [destination(sampling=0.5, is_enabled=False), WELL]).sampled


def test_what_is_left_out_is_said() -> None:
    assert shortcomings(OPENROUTER_PUSH, WELL) == []
    assert len(shortcomings(OPENROUTER_PUSH, destination(part="some keys", sends_cost=False))) == 2


def test_what_is_stored_is_read_again_and_anything_else_says_nothing() -> None:
    delivery = PushHealth(amiss="x", succeeded_at=LATE, sampled=True)
    assert push_health.read(push_health.packed(delivery)) == delivery
    assert push_health.read(None) == push_health.read("[1") == PushHealth()
