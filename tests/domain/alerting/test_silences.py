"""Which alerts a silence is about, and which filters make none."""

from __future__ import annotations

import pytest

from spendtop.domain.alerting.silences import Facts, Silence, parse_silence
from spendtop.domain.filters.filters import FilterError

ALICE: Facts = {
    "kind": ("limit",),
    "limit": ("each user",),
    "user": ("alice",),
    "token": ("t-1", "checkout"),
    "severity": ("critical",),
}


@pytest.mark.parametrize(
    ("text", "covers"),
    [
        ("user:alice", True),
        ("~u al*", True),
        ("user:bob", False),
        ('limit:"each user" -sev:warning', True),
        ("user:alice severity:warning", False),
        ("(user:bob | kind:limit) & ~k checkout", True),
        ("model:*", False),
        ("each", True),
        ("*", True),
        ("-user:*", False),
    ],
)
def test_a_silence_is_about_the_alerts_that_its_filter_selects(text: str, covers: bool) -> None:
    silence = Silence(id=1, text=text, filter=parse_silence(text), by="eve", created_at=0, until=9)
    assert silence.covers(ALICE) is covers


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "for all alerts say *"),
        ("usr:alice", "did you mean 'user'"),
        ("cost>0.05", "alerts have no field 'cost', they have user, model, token, session, limit, kind, severity"),
        ("~p /etl/**", "alerts have no field 'p'"),
        ("prop.env=prod", "alerts have no field 'prop.env'"),
        ("kind:anomly", "did you mean 'anomaly'"),
        ("severity:loud", "one of info, warning, critical"),
        ("(user:alice", "not closed"),
    ],
)
def test_what_alerts_do_not_have_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(FilterError) as refused:
        parse_silence(text)
    assert said in str(refused.value)
