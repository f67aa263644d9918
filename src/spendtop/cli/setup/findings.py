"""What `spendtop check` looks at; each part gives findings with what to do."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

from sqlalchemy import Connection

from spendtop.alerts.channels import check_url
from spendtop.api.listener.server import bind
from spendtop.cli.effective_limits import now
from spendtop.cli.options import known_stores
from spendtop.cli.setup.finding import Finding, FindingState, failed
from spendtop.cli.setup.push_findings import of_health
from spendtop.collector.from_settings import digest, pricer_of
from spendtop.collector.polling.poll_config import Polled, PolledPushHealth, PolledRequests, polled
from spendtop.collector.process.store_lock import places
from spendtop.config.channel_urls import schema_of
from spendtop.config.load import Loaded
from spendtop.config.paths import data_folder
from spendtop.config.settings import ServerSettings, Settings
from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.condition import Condition, ConditionStatus
from spendtop.domain.counted import counted
from spendtop.domain.errors import ExitCode, SpendtopError, UsageError
from spendtop.domain.money import ZERO
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.domain.pricing.list_version import age
from spendtop.domain.pricing.pricer import FALLBACK
from spendtop.domain.sources.records import KeyRule, PushedSource, pushed_sources
from spendtop.domain.untrusted import TEXT_LIMIT, clean_line
from spendtop.services.agents import spool as agent_spool
from spendtop.services.stores.presence import RunningCollector, running_collector
from spendtop.sources.agents.scan import roots_of
from spendtop.sources.receivers import Signing
from spendtop.sources.registry import READERS
from spendtop.sources.settings import AgentsSettings
from spendtop.store.engine import Store, named
from spendtop.store.files import locate, prepare
from spendtop.store.reads.alerts.attention import attention
from spendtop.store.reads.configuration.applied import applied
from spendtop.store.reads.configuration.configured_by import configured_by
from spendtop.store.reads.ledger.accounts import STALE_AFTER
from spendtop.store.reads.price_list import PriceListState, price_list
from spendtop.store.reads.sources.completeness import PollerRow, coverage, gaps, pollers
from spendtop.store.reads.sources.refusals import refused_since_heard
from spendtop.store.reads.sources.remarks import source_remarks
from spendtop.store.schema import head, refuse_newer, version

_MEBIBYTE = 1024 * 1024
_SCARCE, _TOO_LITTLE = 1024 * _MEBIBYTE, 100 * _MEBIBYTE
_GAPS_OVER = 7
"""Days."""
_MOST_GAPS = 1000
_MOST_REMARKS = 10
_LONGEST_SENTENCE = 600


def of_configuration(loaded: Loaded) -> Iterator[Finding]:
    """The file, what deserves attention in it, and what costs are computed with."""
    place = f"{loaded.path}" if loaded.path else "no file; defaults, with what is said elsewhere"
    for problem in loaded.problems:
        text, _, fix = clean_line(str(problem), TEXT_LIMIT).partition("; ")
        yield Finding("configuration", FindingState.ERROR, text, fix, problem.exit_code)
    if not loaded.problems:
        yield Finding("configuration", FindingState.OK, place)
    for warning in loaded.warnings:
        text, _, fix = warning.partition("; ")
        yield Finding("configuration", FindingState.WARNING, clean_line(text), clean_line(fix))
    yield from _pricing(loaded.settings)


def _pricing(settings: Settings) -> Iterator[Finding]:
    models = [model for model in settings.prices if model != FALLBACK]
    texts = [counted(len(models), "model")] if models else []
    texts += ["every model without another price"] if FALLBACK in settings.prices else []
    if texts:
        yield Finding("own prices", FindingState.OK, f"of {' and of '.join(texts)}")
    hook, asked_first = settings.pricing.hook, settings.pricing.hook_over == "all"
    if hook:
        try:
            pricer_of(settings, PublishedPrices())
            asked = "asked before whatever anyone says" if asked_first else "asked where nobody said a cost"
            yield Finding("pricing hook", FindingState.OK, f"{clean_line(hook)}, {asked}")
        except SpendtopError as failure:
            yield failed("pricing hook", failure)
    elif asked_first:
        text, fix = 'hook_over = "all" without a hook has no effect', "set hook under [pricing], or remove hook_over"
        yield Finding("pricing hook", FindingState.WARNING, text, fix)


def of_keys(settings: Settings) -> Iterator[Finding]:
    """The secrets that open our routes. That one is short is a warning of the configuration."""
    for source in pushed_sources(KeyRule.SIGNED):
        yield _signing(source, READERS.signed[source.name].signing(settings))
    ingest = ", ".join(map(clean_line, settings.server.ingest_keys))
    yield Finding(
        "ingest keys", FindingState.OK if ingest else FindingState.NOTE, ingest or "none: /ingest answers 403"
    )
    yield _admin_key(settings.server)


def of_agents(settings: Settings) -> Iterator[Finding]:
    """The coding agents that keep files here; nothing where there are none."""
    agents = settings.section(AgentsSettings)
    readers = {name: reader() for name, reader in READERS.agents.items()}
    for root in roots_of(readers, agents.homes_by_agent(Path.home()), os.environ):
        billing = agents.of(root.agent).billing
        text = "its calls are spend" if billing == "api" else "its calls are usage under a plan, which is no spend"
        yield Finding(root.agent, FindingState.OK, f"{clean_line(root.folder)}: {text}")


def _pushes(connection: Connection, settings: Settings) -> Iterator[Finding]:
    """To another collector, where this machine pushes to one."""
    agents = settings.section(AgentsSettings)
    if not agents.push_to:
        return
    if not agents.push_key:
        fix = "set push_key under [agents] to an ingest key of that collector"
        yield Finding("agents push", FindingState.ERROR, "there is no key to push with", fix, ExitCode.CONFIG)
        return
    pushes = agent_spool.state(connection, socket.gethostname())
    words = pushes.words if pushes.to == agents.push_to else f"to {agents.push_to}, as soon as a collector runs"
    yield Finding("agents push", FindingState.WARNING if pushes.is_amiss else FindingState.OK, clean_line(words))


def _admin_key(server: ServerSettings) -> Finding:
    if server.api_key:
        return Finding("admin key", FindingState.OK, "set")
    if server.public_url:
        closed = "none: with public_url the admin routes answer nobody"
        return Finding("admin key", FindingState.WARNING, closed, "set api_key under [server]")
    return Finding("admin key", FindingState.NOTE, "none: the admin routes answer programs on this machine only")


def _signing(source: PushedSource, signing: Signing) -> Finding:
    subject = source.label.lower()
    if signing.allow_unsigned:
        return Finding(
            subject, FindingState.WARNING, "takes posts that nobody signed", f"remove {source.unsigned_setting}"
        )
    if signing.secrets:
        return Finding(subject, FindingState.OK, counted(len(signing.secrets), "signing secret"))
    off = f"off: {source.path} answers 403 without a signing secret"
    return Finding(subject, FindingState.WARNING, off, f"set {source.setting}")


def of_accounts(settings: Settings) -> Iterator[Finding]:
    """Below what each balance is told, also of accounts that nobody wrote down."""
    for account in settings.accounts:
        told = f"told below {account.low_balance}" if account.low_balance is not None else "told at no balance"
        subject = f"account {clean_line(account.name)}"
        if account in settings.declared_accounts:
            yield Finding(subject, FindingState.OK, told)
        else:
            fix = f'an [[account]] with provider = "{account.provider}" changes that'
            yield Finding(subject, FindingState.OK, f"{told}, as it exists by itself", fix)


def of_channels(settings: Settings) -> Iterator[Finding]:
    """Whether each channel's URL can work."""
    for channel in settings.channels:
        url = channel.url.get_secret_value()
        subject = f"channel {clean_line(channel.name)}"
        problem = check_url(url)
        if problem is None:
            yield Finding(subject, FindingState.OK, f"{schema_of(url)}, from {channel.min_severity}")
        else:
            fix = "correct its url under [[channel]]"
            yield Finding(subject, FindingState.ERROR, f"the URL {problem}", fix, ExitCode.CONFIG)


def of_hidden_store() -> Finding:
    """In place of what the store would tell."""
    fix = "correct the configuration, or name the store with --database-url"
    return Finding("store", FindingState.ERROR, "which one it is cannot be read", fix, ExitCode.CONFIG)


def of_store_and_port(loaded: Loaded) -> Iterator[Finding]:
    """The store with what waits in it, the collector that holds it, and the port."""
    settings = loaded.settings
    try:
        url, elsewhere = locate(settings.database.url.get_secret_value())
    except SpendtopError as failure:
        yield failed("store", failure)
        yield from _listener(settings, None)
        return
    if elsewhere:
        text, _, fix = elsewhere.partition("; ")
        yield Finding("store", FindingState.NOTE, text, fix)
    with closing(Store(url)) as store:
        held = running_collector(places(store, data_folder()).holder)
        try:
            yield from _store(store, loaded, held)
        except SpendtopError as failure:
            yield failed("store", failure)
        yield from _listener(settings, held)


def _store(store: Store, loaded: Loaded, held: RunningCollector | None) -> Iterator[Finding]:
    settings = loaded.settings
    if store.path is None:
        text = "the PostgreSQL server's cannot be seen from here"
        yield Finding("disk", FindingState.NOTE, text, "watch it there; disk_reserve has no effect")
    else:
        yield from _disk(store.path, loaded.settings.database.disk_reserve)
        known_stores().refuse_a_loss(store)
        if not store.path.exists():
            yield _not_made_yet(store.path)
            return
        prepare(store.path)
    with ExitStack() as stack:
        stack.enter_context(named(store))
        with store.writing() as connection:
            schema = version(connection)
        refuse_newer(schema, store.name)
        if schema != head():
            yield Finding("store", FindingState.NOTE, f"{store.name}: made or upgraded at the next start of `spendtop`")
            return
        yield Finding("store", FindingState.OK, f"{store.name}, schema {schema}, can be written")
        connection = stack.enter_context(store.reading())
        yield from _configured_before(connection, loaded)
        yield from _waiting(connection)
        yield from of_pollers(connection, settings)
        yield from _pushes(connection, settings)
        yield _price_list(price_list(connection), settings)
        yield from _remarks(connection)
        if held is not None:
            yield from _applied(connection, loaded, settings)
        else:
            yield from _refused(connection)


def _not_made_yet(path: Path) -> Finding:
    folder = next(parent for parent in path.parents if parent.exists())
    if os.access(folder, os.W_OK):
        return Finding("store", FindingState.OK, f"{path} will be made by the first start")
    fix = "give yourself write access, or name another store with --database-url"
    return Finding("store", FindingState.ERROR, f"{folder} cannot be written", fix, ExitCode.NO_PERMISSION)


def _disk(path: Path, reserve: int) -> Iterator[Finding]:
    folder = next(parent for parent in path.parents if parent.exists())
    free = shutil.disk_usage(folder).free
    text = f"{free // _MEBIBYTE:,} MiB free at {folder}"
    if free < _TOO_LITTLE:
        yield Finding(
            "disk", FindingState.ERROR, text, "make room: without it nothing can be recorded", ExitCode.CANNOT_WRITE
        )
    elif free < reserve:
        kept = f"{text}, less than disk_reserve: prompts and responses are not kept"
        yield Finding("disk", FindingState.WARNING, kept, "make room, or lower disk_reserve under [database]")
    elif free < _SCARCE:
        yield Finding("disk", FindingState.WARNING, text, "make room, or shorten [retention]")
    else:
        yield Finding("disk", FindingState.OK, text)


def _configured_before(connection: Connection, loaded: Loaded) -> Iterator[Finding]:
    """What another file than the one that counts here had applied to the store."""
    before = configured_by(connection, socket.gethostname())
    if before is not None and before.document != (str(loaded.path.absolute()) if loaded.path else None):
        fix = "the next start goes by the configuration above, and says what differs"
        yield Finding(
            "configuration", FindingState.NOTE, f"the store was configured by {clean_line(before.words)}", fix
        )


def _waiting(connection: Connection) -> Iterator[Finding]:
    waiting = attention(connection, now())
    if waiting.unrecognized:
        fix = "`spendtop quarantine list`; after an upgrade `spendtop quarantine retry`"
        yield Finding(
            "quarantine", FindingState.WARNING, f"{counted(waiting.unrecognized, 'event')} not understood", fix
        )
    if waiting.tests:
        yield Finding("quarantine", FindingState.NOTE, f"{counted(waiting.tests, 'test event')}, never counted")
    if waiting.dead_deliveries:
        fix = "`spendtop delivery list`, then `spendtop delivery retry`"
        yield Finding(
            "deliveries", FindingState.WARNING, f"{counted(waiting.dead_deliveries, 'message')} could not be sent", fix
        )


def _applied(connection: Connection, loaded: Loaded, settings: Settings) -> Iterator[Finding]:
    by_collector = applied(connection)
    if by_collector is not None and by_collector.config_digest != digest(settings):
        way = "give `check` the options of the collector" if loaded.path is None else "save the file to apply it"
        fix = f"{way}, or restart the collector with these options"
        yield Finding("configuration", FindingState.NOTE, "differs from what the collector applied last", fix)


def _price_list(state: PriceListState | None, settings: Settings) -> Finding:
    """As a collector said last: no list is loaded here."""
    subject, asked = "price list", settings.pricing.update
    if state is None:
        return Finding(subject, FindingState.NOTE, "none was used on this store yet", "start `spendtop`")
    text = f"{state.version.name}, {age(state.version, now())}"
    if state.problem is not None:
        return Finding(subject, FindingState.WARNING, text, clean_line(state.problem))
    if state.is_old(now()):
        return Finding(subject, FindingState.WARNING, text, "start `spendtop`, which fetches it")
    if state.version.as_of is None and not asked:
        return Finding(subject, FindingState.NOTE, text, "update = true under [pricing] fetches newer ones")
    return Finding(subject, FindingState.OK, text)


def _remarks(connection: Connection) -> Iterator[Finding]:
    """The newest of what is amiss with what sources sent."""
    remarks = source_remarks(connection, now())
    for each in remarks[:_MOST_REMARKS]:
        state = FindingState.WARNING if each.is_loss else FindingState.NOTE
        yield Finding(clean_line(each.source), state, each.words)
    if older := remarks[_MOST_REMARKS:]:
        yield Finding("sources", FindingState.NOTE, f"{counted(len(older), 'older remark')}: see Sources on screen")


def _listener(settings: Settings, held: RunningCollector | None) -> Iterator[Finding]:
    server = settings.server
    if held is not None:
        goes_on = "; it needs no screen, `spendtop stop` stops it" if held.started_by == "viewer" else ""
        yield Finding("collector", FindingState.OK, f"process {held.pid} listens at {held.url}{goes_on}")
        yield from map(_condition, held.conditions)
        return
    try:
        bind(server.host, server.port).close()
        yield Finding("port", FindingState.OK, f"{server.host}:{server.port} is free; no collector runs")
    except UsageError as failure:
        text, _, fix = str(failure).partition(". ")
        yield Finding("port", FindingState.ERROR, text, fix, ExitCode.CONFIG)
    except SpendtopError as failure:
        yield failed("port", failure)


def _condition(condition: Condition) -> Finding:
    """What the running collector says is amiss with it."""
    text, _, fix = clean_line(condition.sentence, _LONGEST_SENTENCE).partition(". ")
    if condition.status is ConditionStatus.DOWN:
        return Finding("collector", FindingState.ERROR, text, fix, ExitCode.CANNOT_WRITE)
    return Finding("collector", FindingState.WARNING, text, fix)


def _refused(connection: Connection) -> Iterator[Finding]:
    """What was refused in the last day of sources of which nothing came since."""
    for posts in refused_since_heard(connection, now() - DAY):
        yield Finding(posts.source.title, FindingState.WARNING, f"in the last day {posts.fact}", posts.advice)


def of_pollers(connection: Connection, settings: Settings) -> Iterator[Finding]:
    """How far figures are complete: a line for each poller, and one for what webhooks missed and polls filled in."""
    at = now()
    polled_rows = {row.name: row for row in pollers(connection)}
    wanted = polled(settings)
    for each in wanted:
        yield _poller(each, polled_rows.get(each.name), at)
    if any(isinstance(each, PolledRequests) and each.pushed for each in wanted):
        yield from _missed(connection, at)


def _poller(wanted: Polled, row: PollerRow | None, at: int) -> Finding:
    subject = f"poller {clean_line(wanted.name)}"
    if row is None:
        return Finding(subject, FindingState.NOTE, "has no answer yet", "start `spendtop` where none runs")
    if row.failure is not None and row.failed_at is not None:
        last = f"; the last answer came {_ago(at - row.succeeded_at)} ago" if row.succeeded_at is not None else ""
        return Finding(subject, FindingState.WARNING, f"gives nothing{last}", str(row.failure))
    if row.succeeded_at is None or at - row.succeeded_at > STALE_AFTER * wanted.every:
        return Finding(subject, FindingState.WARNING, "has not polled for long", "start `spendtop`")
    if isinstance(wanted, PolledPushHealth) and row.push_health is not None:
        return of_health(wanted.push, row.push_health, at)
    complete = f", complete up to {_ago(at - row.complete_until)} ago" if row.complete_until is not None else ""
    return Finding(subject, FindingState.OK, f"polled {_ago(at - row.succeeded_at)} ago{complete}")


def _missed(connection: Connection, at: int) -> Iterator[Finding]:
    since = at - _GAPS_OVER * DAY
    since -= since % HOUR
    filled = gaps(connection, since, _MOST_GAPS)
    compared = coverage(connection, filled, since)
    if compared is None:
        text = "what they brought is not known: no poll has compared it"
        yield Finding("webhooks", FindingState.NOTE, text)
        return
    if compared.percent is None:
        return
    when = f"from {_ago(at - compared.since)} to {_ago(at - compared.until)} ago"
    requests, cost = sum(gap.requests for gap in filled), sum((gap.cost for gap in filled), ZERO)
    if not requests:
        yield Finding("webhooks", FindingState.OK, f"brought every request {when}")
        return
    times, missed = counted(len(filled), "gap"), counted(requests, "request")
    text = f"brought {compared.percent} of the requests {when}; polls filled {times}: {missed}, {cost}"
    yield Finding("webhooks", FindingState.NOTE, text)


def _ago(micros: int) -> str:
    if micros < HOUR:
        return f"{max(0, micros) // MINUTE} min"
    return f"{micros // HOUR} h" if micros < 2 * DAY else f"{micros // DAY} days"
