"""What `spendtop check` says of providers that push."""

from __future__ import annotations

from collections.abc import Iterator

from spendtop.cli.setup.finding import Finding, FindingState
from spendtop.collector.push_connection import credential_of, is_expected
from spendtop.config.settings import Settings
from spendtop.domain.clock import age
from spendtop.domain.sources.push_health import PushHealth
from spendtop.domain.sources.records import ANTHROPIC_PUSH, PUSHES, ProviderPush


def of_pushes(settings: Settings) -> Iterator[Finding]:
    """Those that could push here, or of which it is not known how they deliver."""
    for push in PUSHES:
        has_key, pushes = credential_of(push, settings) is not None, is_expected(push, settings)
        if has_key and not pushes:
            text = f"off: {push.provider} does not push here"
            yield Finding(push.title, FindingState.NOTE, text, f"`spendtop {push.provider} connect URL`")
        elif pushes and not has_key:
            text = "pushes here; how it delivers is not asked"
            yield Finding(push.title, FindingState.NOTE, text, f"set {_key(push)}")


def of_health(push: ProviderPush, health: PushHealth, at: int) -> Finding:
    """How a provider that pushes delivers here, as it said last."""
    if health.amiss:
        text, _, fix = health.amiss.partition(". ")
        return Finding(push.title, FindingState.WARNING, text, fix)
    if not health.leads_here:
        fix = f"`spendtop {push.provider} connect URL`"
        return Finding(push.title, FindingState.NOTE, "no destination is known to lead here", fix)
    last = "" if health.succeeded_at is None else f", delivered last: {age(max(at - health.succeeded_at, 0))}"
    return Finding(push.title, FindingState.OK, f"its destination is on{last}")


def _key(push: ProviderPush) -> str:
    if push is ANTHROPIC_PUSH:
        return "admin_key under [anthropic]"
    return 'key of an [[account]] with provider = "openrouter" to a management key'
