"""`spendtop delivery list` and `delivery retry`."""

from __future__ import annotations

from spendtop.cli.effective_limits import in_force
from spendtop.cli.options import Options, load_settings, opened_store
from spendtop.cli.run_task import ask_and_wait
from spendtop.cli.tables import local_time, say, table
from spendtop.domain.alerting import Message
from spendtop.domain.errors import ExitCode
from spendtop.domain.untrusted import clean_line
from spendtop.services.outbox_rules import DeliveryState
from spendtop.services.tasks import TaskKind
from spendtop.store.reads.attention import deliveries

_MOST = 200
_UNSENT = (DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.DEAD)


def show(options: Options) -> int:
    """Print messages that are not sent, or all."""
    settings = load_settings(options).settings
    states = () if options.arguments.all else tuple(state.value for state in _UNSENT)
    with opened_store(settings) as store, store.reading() as connection:
        calendar = in_force(connection, settings).calendar
        found = deliveries(connection, states, _MOST)
    rows = [
        (
            delivery.id,
            clean_line(delivery.channel),
            _about(delivery.message),
            delivery.state,
            delivery.attempts,
            local_time(delivery.created_at, calendar),
            local_time(delivery.next_at if delivery.state == DeliveryState.PENDING else None, calendar),
            delivery.last_error,
        )
        for delivery in found
    ]
    headers = (">id", "channel", "message", "state", ">tries", "since", "next try", "last failure")
    say(table(headers, rows) if rows else "No message waits, none is dead.")
    return ExitCode.OK


def retry(options: Options) -> int:
    """Ask the collector to send dead messages again."""
    wanted = options.arguments.id
    with opened_store(load_settings(options).settings) as store:
        say(ask_and_wait(store, TaskKind.DELIVERY_RETRY, {} if wanted is None else {"id": wanted}))
    return ExitCode.OK


def _about(message: Message) -> str:
    return " ".join(filter(None, (message.kind.value, clean_line(message.limit_name), clean_line(message.entity))))
