"""Records the month of sample traffic as spendtop does, hour by hour, into the store that the demo starts with:

    python sample_data/record.py --out sample_data

writes `month.db.zst`, and `made_of.txt` with a digest of what it is made of. Run it again when a test of
tests/sample_data says so.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from hashlib import sha256
from itertools import groupby
from pathlib import Path

from generate import END, HERE, SEED, month, traffic
from msgspec.structs import replace
from sqlalchemy import Connection, text

from spendtop.collector import from_settings
from spendtop.collector.demo.sample_files import MONTH
from spendtop.collector.demo.sample_month import pack
from spendtop.collector.demo.sample_traffic import requests_of
from spendtop.config.load import load
from spendtop.domain.clock import HOUR, MINUTE, to_micros
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.domain.requests.request import Request
from spendtop.domain.sources.records import HELICONE
from spendtop.services.alerting import actions as alert_actions
from spendtop.services.alerting.evaluator import Evaluator
from spendtop.services.recording.missed_requests import note_gap
from spendtop.services.recording.recorder import Recorder
from spendtop.sources.settings import SECTIONS
from spendtop.store.engine import Store
from spendtop.store.schema import upgrade

_MADE_OF = "made_of.txt"
_MISSED = range(to_micros(END) - 27 * HOUR, to_micros(END) - 27 * HOUR + 11 * MINUTE)
"""When no webhook came."""
_SEEN_AT = to_micros(END) - 18 * HOUR
_STANDING = "SELECT id FROM alert WHERE state != 'resolved' AND rule != 'limit/one request'"
_INPUTS = ("*.py", "*.toml")


def made_of() -> str:
    """A digest of everything here that decides what is in the month."""
    digest = sha256()
    for path in sorted(
        path for pattern in _INPUTS for path in HERE.glob(pattern) if path.name != "train_dictionary.py"
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def record(file: Path, requests: Iterable[Request]) -> None:
    """Record requests, oldest first, into a new store; after each hour the limits are looked at."""
    settings = load(HERE / "demo.toml", sections=SECTIONS, environ={"SPENDTOP_TIME__ZONE": "UTC"}).settings
    prices = PublishedPrices()
    prices.load()
    store = Store(f"sqlite:///{file}")
    upgrade(store)
    book = from_settings.book_of(settings, prices, to_micros(END))
    recorder = Recorder(store, from_settings.preparer_of(settings, prices), book)
    recorder.start()
    evaluator = Evaluator(book, ())
    missed: list[Request] = []
    for hour, grouped in groupby(requests, lambda request: request.occurred_at // HOUR):
        of_hour = list(grouped)
        missed += [replace(each, cost=recorder.cost(each)) for each in of_hour if each.occurred_at in _MISSED]
        recorded: Future[object] = Future()
        recorder.submit(of_hour, recorded.set_result)
        recorded.result()
        end = (hour + 1) * HOUR
        while recorder.run(partial(evaluator.has_marks, now=end)).result():
            recorder.run(partial(evaluator.evaluate, now=end)).result()
        recorder.run(partial(evaluator.revisit, now=end)).result()
        if end == _SEEN_AT:
            recorder.run(_see).result()
    recorder.run(partial(_look_back, missed=missed)).result()
    recorder.stop(60)
    store.checkpoint()
    store.close()


def _see(connection: Connection) -> None:
    """Somebody takes on the alerts that stand."""
    for alert_id in connection.execute(text(_STANDING)).scalars().all():
        alert_actions.ack(connection, alert_id, "maren", _SEEN_AT)


def _look_back(connection: Connection, missed: Sequence[Request]) -> None:
    """A poll finds what no webhook told."""
    note_gap(connection, HELICONE.name, missed, _MISSED.start, _MISSED.stop + 14 * MINUTE)


def main() -> None:
    """Writes the file."""
    parser = argparse.ArgumentParser(description="Records the month of sample traffic.")
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--out", type=Path, default=HERE)
    options = parser.parse_args()
    end = to_micros(END)
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "month.db"
        record(file, requests_of(month(traffic(SEED, options.days)), end))
        packed = pack(file, end)
    (options.out / MONTH).write_bytes(packed)
    (options.out / _MADE_OF).write_text(f"{made_of()}\n")
    sys.stdout.write(f"{len(packed)} bytes in {options.out / MONTH}\n")


if __name__ == "__main__":
    main()
