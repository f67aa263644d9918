"""`spendtop channel list` and `channel test`: in place, without a collector. No line holds a part of a URL."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence

from spendtop.alerts.backoff import Timing
from spendtop.alerts.channels import check_url
from spendtop.alerts.courier import ProcessCourier, delivery_job
from spendtop.alerts.delivery_process import DeliveryOutcome, DeliveryResult
from spendtop.alerts.message_text import Dispatch, channel_test_message
from spendtop.cli.effective_limits import now
from spendtop.cli.interruption import interruptible
from spendtop.cli.options import Options, load_settings
from spendtop.cli.tables import say, table
from spendtop.config.channel_urls import schema_of
from spendtop.config.settings import ChannelSettings
from spendtop.domain.errors import ExitCode, UsageError, nearest
from spendtop.domain.untrusted import clean_line
from spendtop.services.exchange.export import ascii_json

_NO_CHANNELS = "No channels are configured. Add a [[channel]] with a name and an Apprise URL to spendtop.toml."
_CODES = {DeliveryOutcome.SENT: ExitCode.OK, DeliveryOutcome.MISCONFIGURED: ExitCode.CONFIG}


def show(options: Options) -> int:
    channels = load_settings(options).settings.channels
    rows = [
        (clean_line(channel.name), schema_of(url), channel.min_severity, check_url(url) or "ok")
        for channel in channels
        for url in (channel.url.get_secret_value(),)
    ]
    if options.arguments.json:
        names = ("name", "kind", "min_severity", "url_state")
        say(ascii_json({"data": [dict(zip(names, row, strict=True)) for row in rows]}))
        return ExitCode.OK
    say(table(("name", "kind", "from severity", "URL"), rows) if rows else _NO_CHANNELS)
    return ExitCode.OK


def test(options: Options) -> int:
    """Send a test message to one channel or all; the exit code is that of the worst result."""
    settings = load_settings(options).settings
    channels = settings.channels
    if not channels:
        raise UsageError(_NO_CHANNELS)
    chosen = _named(channels, options.arguments.name) if options.arguments.name else channels
    with interruptible("Sending", "What was sent may still arrive."):
        results = asyncio.run(_send_to_all(chosen, settings.ui.shown_name))
    rows = [
        (clean_line(channel.name), result.outcome.value, f"{result.elapsed_ms / 1000:.1f} s", clean_line(result.detail))
        for channel, result in zip(chosen, results, strict=True)
    ]
    say(table(("channel", "result", ">took", "reason"), rows))
    return max(_CODES.get(result.outcome, ExitCode.CANNOT_WRITE) for result in results)


def _named(channels: Sequence[ChannelSettings], name: str) -> Sequence[ChannelSettings]:
    named = [channel for channel in channels if channel.name == name]
    if named:
        return named
    names = [channel.name for channel in channels]
    near = nearest(name, names)
    hint = f"Did you mean {near!r}?" if near else f"There are: {', '.join(names)}."
    raise UsageError(f"There is no channel {clean_line(name)!r}. {hint}")


async def _send_to_all(channels: Sequence[ChannelSettings], sender: str) -> list[DeliveryResult]:
    return await asyncio.gather(*(_send(channel.url.get_secret_value(), sender) for channel in channels))


async def _send(url: str, sender: str) -> DeliveryResult:
    refused = check_url(url)
    if refused is not None:
        return DeliveryResult(outcome=DeliveryOutcome.MISCONFIGURED, detail=f"the URL {refused}")
    message = channel_test_message(now())
    dispatch = Dispatch(sender=sender, ref=secrets.token_hex(4))
    job = delivery_job(url, message, dispatch, severity=message.kind.severity, deadline=Timing().deadline)
    return await ProcessCourier().deliver(job)
