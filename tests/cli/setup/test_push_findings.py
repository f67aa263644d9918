"""What a check says of providers that push."""

from __future__ import annotations

from spendtop.cli.setup.finding import FindingState
from spendtop.cli.setup.push_findings import of_health, of_pushes
from spendtop.config.settings import Settings
from spendtop.domain.clock import MINUTE
from spendtop.domain.sources.push_health import PushHealth
from spendtop.domain.sources.records import ANTHROPIC_PUSH
from tests.api.listening import settings_of

KEYS = {"ingest_keys": {"anthropic-push": "0123456789abcdef"}}
ADMIN = {"admin_key": "sk-ant-admin-canary"}


def said(settings: Settings) -> list[tuple[str, str]]:
    return [(each.text, each.fix) for each in of_pushes(settings)]


def test_a_provider_that_could_push_is_named_with_the_command() -> None:
    assert said(settings_of()) == []
    (offered,) = said(settings_of(anthropic=ADMIN))
    assert offered == ("off: anthropic does not push here", "`spendtop anthropic connect URL`")
    assert said(settings_of(KEYS, anthropic=ADMIN)) == []


def test_one_that_pushes_unasked_is_named_with_the_key_that_asks() -> None:
    (unasked,) = said(settings_of(KEYS))
    assert unasked[1] == "set admin_key under [anthropic]"


def test_health_is_one_line_with_the_way_back() -> None:
    amiss = of_health(ANTHROPIC_PUSH, PushHealth(amiss="It is off: a redirect. Mend it."), 0)
    assert (amiss.state, amiss.text, amiss.fix) == (FindingState.WARNING, "It is off: a redirect", "Mend it.")
    assert of_health(ANTHROPIC_PUSH, PushHealth(leads_here=False), 0).state is FindingState.NOTE
    well = of_health(ANTHROPIC_PUSH, PushHealth(succeeded_at=1), 3 * MINUTE + 1)
    assert (well.state, well.text) == (FindingState.OK, "its destination is on, delivered last: 3m")
