"""`spendtop helicone connect`, `status`, `test` and `disconnect`."""

from __future__ import annotations

from spendtop.cli.options import Options, load_settings, settled
from spendtop.cli.providers.answers import answer_to, wait_until
from spendtop.cli.run_task import collected_store
from spendtop.cli.tables import say, table
from spendtop.collector.helicone_connection import (
    Connected,
    NotKept,
    destination_of,
    keep_secret,
    leading_here,
    management,
    secrets_of,
    shortcomings,
)
from spendtop.collector.helicone_connection import (
    connect as connect_webhook,
)
from spendtop.config.load import Loaded
from spendtop.config.settings import Settings
from spendtop.domain.errors import ConfigError, ExitCode, UsageError
from spendtop.domain.shell_words import shell_word
from spendtop.domain.untrusted import clean_line
from spendtop.services.exchange.export import ascii_json
from spendtop.sources.helicone_webhooks import HeliconeWebhooks, Webhook
from spendtop.sources.settings import HeliconeSettings
from spendtop.store.engine import Store
from spendtop.store.reads.sources.quarantine import newest_test

_PATIENCE = 20.0
"""Seconds after which a test event is no longer waited for."""
_ELSEWHERE = (
    "Helicone says that its test event was taken, but it is not in this store. Does the address lead to another"
    " collector?"
)
_NARROWED = "Set it so in Helicone, or delete it with `spendtop helicone disconnect` and connect again."


def connect(options: Options) -> int:
    """Make the webhook unless there is one, and keep its secret."""
    loaded = load_settings(options)
    webhooks = management(loaded.settings)
    destination = destination_of(options.arguments.url)
    connected = answer_to(connect_webhook(webhooks, destination), "Making Helicone's webhook")
    webhook = connected.webhook
    say(f"Webhook {clean_line(webhook.id)} to {clean_line(webhook.destination)} {_made(connected)}.")
    for sentence in shortcomings(webhook):
        say(f"  warning: {sentence} {_NARROWED}")
    if options.arguments.show_secret:
        say(f"Signing secret: {clean_line(webhook.secret)}")
    _keep(options, loaded, webhook.secret)
    say("Next: `spendtop helicone test`.")
    return ExitCode.OK


def status(options: Options) -> int:
    settings = load_settings(options).settings
    listed = _listed(management(settings))
    if options.arguments.json:
        say(ascii_json({"data": [_webhook(each, settings) for each in listed]}))
        return ExitCode.OK
    say(f"Helicone at {settings.section(HeliconeSettings).base_url}")
    if not listed:
        say("There is no webhook. `spendtop helicone connect URL` makes one.")
        return ExitCode.OK
    say(_table(listed, settings))
    ours = leading_here(listed, settings)
    if not ours:
        say("None of them is known to lead here. `spendtop helicone connect URL` takes one over or makes one.")
    for webhook in ours:
        for sentence in _complaints(webhook, settings):
            say(f"warning: webhook {clean_line(webhook.id)}: {sentence}")
    return ExitCode.OK


def test(options: Options) -> int:
    """Have a test event sent and wait for it in the store."""
    settings = load_settings(options).settings
    webhooks = management(settings)
    with collected_store(settings) as store:
        webhook = _ours(_listed(webhooks), settings, options.arguments.url)
        before = _newest_test(store)
        answer_to(webhooks.test(webhook.id), "Having Helicone send its test")
        wait_until(lambda: _newest_test(store) > before, _PATIENCE, "Waiting for Helicone's test", _ELSEWHERE)
    say(f"Helicone's test event to {clean_line(webhook.destination)} arrived, and was recorded as a test.")
    return ExitCode.OK


def disconnect(options: Options) -> int:
    """Show the webhook that leads here and delete it."""
    settings = load_settings(options).settings
    webhooks = management(settings)
    webhook = _ours(_listed(webhooks), settings, options.arguments.url)
    say(_table([webhook], settings))
    answer_to(webhooks.delete(webhook.id), "Deleting Helicone's webhook")
    say("It is deleted: Helicone posts nothing there any more. Its secret stays in the configuration.")
    return ExitCode.OK


def _keep(options: Options, loaded: Loaded, secret: str) -> None:
    try:
        kept = keep_secret(loaded, lambda: load_settings(settled(options, loaded)), secret)
    except NotKept as failure:
        hint = "" if options.arguments.show_secret else " `--show-secret` with this command shows it."
        raise ConfigError(f"The webhook is there, but its signing secret is not in force: {failure}{hint}") from None
    if kept is None:
        say("Its signing secret is in the configuration already.")
    else:
        say(f"Its signing secret is in {kept} now; a collector that runs applies it by itself.")


def _listed(webhooks: HeliconeWebhooks) -> tuple[Webhook, ...]:
    return answer_to(webhooks.list(), "Asking Helicone for its webhooks")


def _ours(webhooks: tuple[Webhook, ...], settings: Settings, url: str | None) -> Webhook:
    """The one that leads here, or to the address that was named. Raises UsageError."""
    if url is not None:
        destination = destination_of(url)
        matching = [webhook for webhook in webhooks if webhook.destination == destination]
    else:
        matching = leading_here(webhooks, settings)
    if not matching:
        raise UsageError("No webhook at Helicone is known to lead here. `spendtop helicone status` shows all.")
    if len({webhook.destination for webhook in matching}) > 1:
        raise UsageError(f"Several webhooks lead here; name one by its URL.\n{_table(matching, settings)}")
    return matching[-1]


def _table(webhooks: list[Webhook] | tuple[Webhook, ...], settings: Settings) -> str:
    secrets = secrets_of(settings)
    rows = [
        (
            clean_line(webhook.id),
            f"{webhook.sample_rate:g} %",
            "some" if webhook.filtered else "all",
            "yes" if webhook.includes_data else "no",
            "ours" if webhook.secret in secrets else "not in the configuration",
            clean_line(webhook.destination),
        )
        for webhook in webhooks
    ]
    return table((">id", ">sampled", "properties", "costs", "secret", "destination"), rows)


def _webhook(webhook: Webhook, settings: Settings) -> dict[str, object]:
    return {
        "id": webhook.id,
        "destination": webhook.destination,
        "sample_rate": webhook.sample_rate,
        "filtered": webhook.filtered,
        "includes_data": webhook.includes_data,
        "secret_known": webhook.secret in secrets_of(settings),
        "leads_here": webhook in leading_here([webhook], settings),
    }


def _complaints(webhook: Webhook, settings: Settings) -> list[str]:
    complaints = [f"{sentence} {_NARROWED}" for sentence in shortcomings(webhook)]
    if webhook.secret not in secrets_of(settings):
        complaints.append(
            "Its signing secret is not in the configuration, so that its events are refused."
            f" `spendtop helicone connect {shell_word(clean_line(webhook.destination))}` puts it there."
        )
    return complaints


def _made(connected: Connected) -> str:
    return "is made" if connected.is_new else "was there already and is used"


def _newest_test(store: Store) -> int:
    with store.reading() as connection:
        return newest_test(connection)
