"""`connect`, `status`, `test` and `disconnect` of `spendtop anthropic` and `spendtop openrouter`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing, suppress

from spendtop.cli.options import Options, load_settings, open_store, settled
from spendtop.cli.providers.answers import answer_to, wait_until
from spendtop.cli.run_task import collected_store, require_collector
from spendtop.cli.tables import say, table
from spendtop.collector.push_connection import (
    destinations_of,
    header_words,
    is_expected,
    keep_key,
    kind_of,
    leading_here,
)
from spendtop.config.settings import Settings
from spendtop.domain.clock import to_iso
from spendtop.domain.errors import CannotWrite, ConfigError, ExitCode, SpendtopError, UsageError
from spendtop.domain.sources.push_health import Destination, shortcomings, way_back
from spendtop.domain.sources.records import ANTHROPIC_PUSH, PUSHES, ProviderPush
from spendtop.domain.untrusted import clean_line
from spendtop.services.exchange.export import ascii_json
from spendtop.sources.destinations import Made, Wish, public_address
from spendtop.sources.destinations.anthropic import AnthropicDestinations
from spendtop.sources.destinations.openrouter import SETTINGS, OpenRouterDestinations
from spendtop.store.engine import Store
from spendtop.store.reads.configuration.applied import applied
from spendtop.store.reads.sources.arrivals import newest_push

_PATIENCE = 20.0
"""Seconds after which a test event is no longer waited for."""
_BY_HAND = 180.0
"""The same where a person has to press a button first."""
_MOST_WORKSPACES = 100


def connect(options: Options) -> int:
    """Make the destination unless there is one, with a key of its own, and try it."""
    push, loaded, wanted = _push(options), load_settings(options), options.arguments
    address = public_address(wanted.url, kind_of(push).title)
    destinations = destinations_of(push, loaded.settings)
    workspaces = tuple(getattr(wanted, "workspace", None) or ())
    if len(workspaces) > _MOST_WORKSPACES:
        raise UsageError(f"At most {_MOST_WORKSPACES} workspaces can be named at once.")
    kept = keep_key(push, loaded, lambda: load_settings(settled(options, loaded)))
    if kept.path is not None:
        say(
            f"An ingest key of its own, {push.name}, is in {kept.path} now; a collector that runs applies it by itself."
        )
    wish = Wish(
        address=address,
        secret=kept.value,
        sends_content=bool(getattr(wanted, "content", False) or getattr(wanted, "bodies", False)),
        workspaces=workspaces,
    )
    try:
        made = answer_to(destinations.make(wish), f"Making {destinations.title}'s destination")
    except ConfigError as refused:
        steps = "\n".join(f"  {each}" for each in header_words(push, address))
        by_hand = f"Or make the destination by hand; `spendtop {push.provider} test` then waits for what comes:"
        raise ConfigError(f"{refused}\n{by_hand}\n{steps}") from None
    destination = made.destination
    say(f"Destination {clean_line(destination.id)} to {clean_line(destination.address)} {_made(made)}.")
    for sentence in shortcomings(push, destination):
        say(f"  warning: {sentence}")
    if not loaded.settings.server.api_key:
        say("  warning: set api_key under [server]: behind a tunnel strangers may pass for programs on this machine.")
    if not isinstance(destinations, AnthropicDestinations):
        say(f"Broadcast has to be on at {SETTINGS}.\nNext: `spendtop openrouter test`.")
        return ExitCode.OK
    _wait_until_open(loaded.settings, push)
    return _try(destinations, destination, loaded.settings)


def status(options: Options) -> int:
    push, settings = _push(options), load_settings(options).settings
    destinations = destinations_of(push, settings)
    listed = _listed(destinations)
    ours = leading_here(listed, settings.server.public_url)
    if options.arguments.json:
        say(ascii_json({"data": [_shape(each, each in ours) for each in listed]}))
        return ExitCode.OK
    if not listed:
        say(f"{destinations.title} pushes nowhere. `spendtop {push.provider} connect URL` makes a destination.")
        return ExitCode.OK
    say(_table(listed, ours))
    if not ours:
        say(f"None of them is known to lead here. `spendtop {push.provider} connect URL` takes one over or makes one.")
    for each in ours:
        troubles = [way_back(push, each), *shortcomings(push, each)]
        for sentence in filter(None, troubles):
            say(f"warning: destination {clean_line(each.id)}: {sentence}")
    return ExitCode.OK


def test(options: Options) -> int:
    """Have a test pushed, and wait for it in the store."""
    push, settings = _push(options), load_settings(options).settings
    if push is ANTHROPIC_PUSH:
        destinations = destinations_of(push, settings)
        assert isinstance(destinations, AnthropicDestinations)
        destination = _ours(push, _listed(destinations), settings, options.arguments.url)
        return _try(destinations, destination, settings)
    if not is_expected(push, settings):
        destinations_of(push, settings)
        raise UsageError("OpenRouter is not connected yet: `spendtop openrouter connect URL` comes first.")
    with collected_store(settings) as store:
        before = _newest(store, push)
        say(f"OpenRouter tries destinations by hand only: open {SETTINGS}, choose the destination spendtop,")
        say("and press Test Connection or Send Trace; the next real request does as well. Waiting for it.")
        nothing = f"Nothing came within {_BY_HAND:g} s. {_why_nothing()}"
        wait_until(lambda: _newest(store, push) > before, _BY_HAND, "Waiting for OpenRouter", nothing)
    say("It arrived: OpenRouter pushes here.")
    return ExitCode.OK


def disconnect(options: Options) -> int:
    """Show the destination that leads here and delete it."""
    push, settings = _push(options), load_settings(options).settings
    destinations = destinations_of(push, settings)
    listed = _listed(destinations)
    destination = _ours(push, listed, settings, options.arguments.url)
    say(_table([destination], [destination]))
    answer_to(destinations.delete(destination), f"Deleting {destinations.title}'s destination")
    say(
        f"It is deleted: {destinations.title} pushes nothing there any more. Its ingest key stays in the configuration."
    )
    return ExitCode.OK


def _listed(destinations: AnthropicDestinations | OpenRouterDestinations) -> Sequence[Destination]:
    return answer_to(destinations.all(), f"Asking {destinations.title} for destinations")


def _push(options: Options) -> ProviderPush:
    word = options.command.split()[0]
    return next(each for each in PUSHES if each.provider == word)


def _try(destinations: AnthropicDestinations, destination: Destination, settings: Settings) -> int:
    """Anthropic's test span: sent by it, and where a collector runs here, seen in its store."""
    store = _collecting(settings)
    before = 0 if store is None else _newest(store, ANTHROPIC_PUSH)
    try:
        failure = answer_to(destinations.test(destination), "Having Anthropic send its test")
        if failure is not None:
            raise CannotWrite(f"Anthropic's test did not arrive: {failure}. {_hint(failure, store)}")
        if store is None:
            say("Anthropic's test was taken there; whether by this store is not known, as no collector runs on it.")
            return ExitCode.OK
        elsewhere = (
            "Anthropic's test was taken, but it is not in this store. Does the address lead to another collector?"
        )
        seen = store
        wait_until(lambda: _newest(seen, ANTHROPIC_PUSH) > before, _PATIENCE, "Waiting for Anthropic's test", elsewhere)
    finally:
        if store is not None:
            store.close()
    say(f"Anthropic's test to {clean_line(destination.address)} arrived, and was recorded as a test.")
    say("The first real request is on the screens as soon as it ends.")
    return ExitCode.OK


def _collecting(settings: Settings) -> Store | None:
    """The store, while a collector keeps it."""
    try:
        store = open_store(settings)
    except SpendtopError:
        return None
    try:
        require_collector(store)
    except SpendtopError:
        store.close()
        return None
    return store


def _wait_until_open(settings: Settings, push: ProviderPush) -> None:
    """Until the collector that runs here has applied the new key; not for ever."""
    store = _collecting(settings)
    if store is None:
        return

    def is_open() -> bool:
        with store.reading() as connection:
            in_force = applied(connection)
        return in_force is None or push.name in in_force.doors.ingest_keys

    late = "The collector has not applied the new key yet."
    with closing(store), suppress(SpendtopError):
        wait_until(is_open, _PATIENCE, "Waiting until the collector has applied the key", late)


def _hint(failure: str, store: Store | None) -> str:
    """What to do about a test that failed, by the provider's words."""
    words = failure.lower()
    if store is None:
        return "No collector runs on this store: start `spendtop`, then `spendtop anthropic test`."
    if "redirect" in words:
        return "The address answers with a redirect, which would switch the destination off: have the proxy pass it on."
    if "401" in words or "403" in words:
        return "The key that it sends is not ours: `spendtop anthropic connect URL` sets it anew."
    return "Does the tunnel or proxy run, and does it lead to this collector? Then `spendtop anthropic test`."


def _why_nothing() -> str:
    return f"Is Broadcast on at {SETTINGS}, and does the tunnel or proxy lead here? See `spendtop openrouter status`."


def _ours(push: ProviderPush, listed: Sequence[Destination], settings: Settings, url: str | None) -> Destination:
    """The one that leads here, or to the address that was named. Raises UsageError."""
    if url is not None:
        address = public_address(url, push.provider)
        matching = [each for each in listed if each.address == address]
    else:
        matching = leading_here(listed, settings.server.public_url)
    if not matching:
        raise UsageError(
            f"No destination is known to lead here. `spendtop {push.provider} status` shows all,"
            f" `spendtop {push.provider} connect URL` makes one."
        )
    if len({each.address for each in matching}) > 1:
        raise UsageError(f"Several destinations may lead here; name one by its URL.\n{_table(matching, matching)}")
    return matching[0]


def _table(listed: Sequence[Destination], ours: Sequence[Destination]) -> str:
    rows = [
        (
            clean_line(each.id),
            each.state,
            f"{each.sampling:.4%}".rstrip("%").rstrip("0").rstrip(".") + " %",
            clean_line(each.part) or "all",
            "with prompts" if each.sends_content else "counts only",
            "ours" if each in ours else "",
            clean_line(each.address),
        )
        for each in listed
    ]
    return table(("id", "state", ">sampled", "of", "sends", "", "destination"), rows)


def _shape(destination: Destination, is_ours: bool) -> dict[str, object]:
    return {
        "id": destination.id,
        "name": destination.name,
        "destination": destination.address,
        "enabled": destination.is_enabled,
        "disabled_why": destination.disabled_why or None,
        "failing": destination.is_failing,
        "last_success_at": _iso(destination.succeeded_at),
        "last_error": destination.failure,
        "last_error_at": _iso(destination.failed_at),
        "sampling": destination.sampling,
        "sends_content": destination.sends_content,
        "leads_here": is_ours,
    }


def _iso(instant: int | None) -> str | None:
    return None if instant is None else to_iso(instant)


def _made(made: Made) -> str:
    return "is made" if made.is_new else "was there already and is used"


def _newest(store: Store, push: ProviderPush) -> int:
    with store.reading() as connection:
        return newest_push(connection, push)
