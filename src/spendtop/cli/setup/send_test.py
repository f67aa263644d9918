"""`spendtop send-test`: signs sample webhooks as Helicone does, posts them, and says what came back."""

from __future__ import annotations

import hmac
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import cycle, islice
from urllib.parse import urlsplit

import httpx

from spendtop.cli.effective_limits import effective_limits, now
from spendtop.cli.interruption import interruptible
from spendtop.cli.options import Options, load_settings, opened_store
from spendtop.cli.run_task import follow
from spendtop.cli.tables import say, table
from spendtop.collector.demo.sample_traffic import as_new, as_test, live_bodies
from spendtop.collector.process.store_lock import places
from spendtop.config.paths import data_folder
from spendtop.config.settings import Settings
from spendtop.domain.counted import counted
from spendtop.domain.errors import CannotWrite, ConfigError, ExitCode, UsageError
from spendtop.domain.untrusted import clean_line
from spendtop.services.sent_tests import sent_tests, spend_of
from spendtop.services.stores.presence import running_collector
from spendtop.services.tasks import TaskKind
from spendtop.sources.settings import HeliconeSettings
from spendtop.store.engine import Store
from spendtop.store.files import locate
from spendtop.store.reads.spending.daily import last_days
from spendtop.store.reads.spending.sums import spend

_PATH = "/webhook"
_TIMEOUT = 90.0
"""Seconds; as long as Helicone waits."""
_EVERYWHERE = ("0.0.0.0", "::")
Answer = tuple[int, str]
"""HTTP status, and what the body says."""
Renewed = Callable[[bytes, str, int], bytes]
"""A body as that of another request, by this id, at this instant (UTC µs)."""


def run(options: Options) -> int:
    """Post and print a line for each kind of answer."""
    arguments = options.arguments
    if arguments.remove:
        return _remove(options)
    count, rate = arguments.count, arguments.rate
    if count < 1 or rate <= 0:
        raise UsageError("--count takes a whole number from 1 on, --rate a number above 0.")
    settings = load_settings(options).settings
    url = _address(arguments.url or _own_address(settings))
    answers = _post(url, _secret(settings), count, rate, as_new if arguments.keep else as_test)
    say(f"{count} posted to {clean_line(url)}")
    say(table((">count", ">HTTP", "answer"), [(many, *answer) for answer, many in answers.most_common()]))
    code = _verdict(answers)
    if arguments.url is None:
        say(_summary(settings))
    return code


def _remove(options: Options) -> int:
    if options.arguments.url is not None:
        raise UsageError("--remove takes out what this store has; on another machine run it there.")
    with opened_store(load_settings(options).settings) as store:
        return follow(store, TaskKind.REMOVE_TESTS, {}, "removal")


def _summary(settings: Settings) -> str:
    """What is spent today, and what of all that is stored are tests."""
    with opened_store(settings) as store:
        ids = sent_tests(store, now)
        with store.reading() as connection:
            calendar = effective_limits(connection, settings).calendar
            today, tests = spend(connection, last_days(1, now(), calendar).since, None), spend_of(connection, ids)
    whole = f"Today: {today.words}, {counted(today.requests, 'request')}."
    if not tests.requests:
        return whole
    return (
        f"{whole} Tests among all that is stored: {tests.words}, {counted(tests.requests, 'request')}; "
        "`spendtop send-test --remove` takes them out."
    )


def _post(url: str, secret: bytes | None, count: int, rate: float, renewed: Renewed) -> Counter[Answer]:
    answers: Counter[Answer] = Counter()
    started = time.monotonic()
    posting = interruptible(f"Posting to {clean_line(url)}", "What was posted before is recorded.")
    with posting, httpx.Client(timeout=_TIMEOUT, trust_env=False) as client:
        for number, body in enumerate(_bodies(count, renewed)):
            time.sleep(max(0.0, started + number / rate - time.monotonic()))
            headers = {"Content-Type": "application/json"}
            if secret is not None:
                headers["Helicone-Signature"] = hmac.new(secret, body, sha256).hexdigest()
            try:
                answers[_read(client.post(url, content=body, headers=headers))] += 1
            except (httpx.HTTPError, httpx.InvalidURL) as failure:
                raise CannotWrite(
                    f"{clean_line(url)} does not answer ({type(failure).__name__}) after {answers.total()} of {count}"
                    " webhooks. Start `spendtop`, or name the address that reaches it."
                ) from None
    return answers


def _bodies(count: int, renewed: Renewed) -> Iterator[bytes]:
    for body in islice(cycle(live_bodies()), count):
        yield renewed(body, str(uuid.uuid4()), now())


def _read(response: httpx.Response) -> Answer:
    try:
        answer = response.json()
        text = answer["error"]["message"] if "error" in answer else answer["status"]
    except (ValueError, KeyError, TypeError):
        text = "an answer that is not ours"
    return response.status_code, clean_line(str(text))


def _verdict(answers: Counter[Answer]) -> int:
    codes = {code for code, _ in answers}
    if codes <= {200}:
        return ExitCode.OK
    if 401 in codes:
        raise ConfigError("The signature is refused: the collector there has other helicone.webhook_secrets.")
    raise CannotWrite("Not every webhook was recorded.")


def _secret(settings: Settings) -> bytes | None:
    helicone = settings.section(HeliconeSettings)
    if helicone.webhook_secrets:
        return helicone.webhook_secrets[0].get_secret_value().encode()
    if helicone.allow_unsigned:
        return None
    raise ConfigError(
        "There is no secret to sign with. Set webhook_secrets under [helicone], or SPENDTOP_HELICONE__WEBHOOK_SECRETS."
        " Without Helicone, `spendtop token create NAME` prints code that pushes."
    )


def _own_address(settings: Settings) -> str:
    """Where the collector of this store says it listens, else where it would."""
    url, _ = locate(settings.database.url.get_secret_value())
    held = running_collector(places(Store(url), data_folder()).holder)
    if held is not None:
        return held.url
    host = settings.server.host
    name = "127.0.0.1" if host in _EVERYWHERE else f"[{host}]" if ":" in host else host
    return f"http://{name}:{settings.server.port}"


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{clean_line(url)} is no address such as https://spend.example.org")
    return url if parts.path.strip("/") else f"{parts.scheme}://{parts.netloc}{_PATH}"
