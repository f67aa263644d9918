"""Records the month of sample traffic as spendtop does, hour by hour, into the store that the demo starts with:

    python sample_data/record.py --out sample_data

writes `month.db.zst`, and `made_of.txt` with a digest of what it is made of. Run it again when a test of
tests/sample_data says so.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import Future
from hashlib import sha256
from itertools import groupby
from pathlib import Path

from generate import END, HERE, SEED, month, traffic

from spendtop.collector import from_settings
from spendtop.collector.demo.sample_month import FILE, pack
from spendtop.collector.demo.sample_traffic import requests_of
from spendtop.config.load import load
from spendtop.domain.clock import HOUR, to_micros
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.domain.request import Request
from spendtop.services.evaluator import Evaluator
from spendtop.services.recorder import Recorder
from spendtop.sources.settings import SECTIONS
from spendtop.store.engine import Store
from spendtop.store.schema import upgrade

_MADE_OF = "made_of.txt"
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
    for hour, of_hour in groupby(requests, lambda request: request.occurred_at // HOUR):
        recorded: Future[object] = Future()
        recorder.submit(list(of_hour), recorded.set_result)
        recorded.result()
        end = (hour + 1) * HOUR
        for _ in range(3):
            recorder.run(lambda connection, end=end: evaluator.evaluate(connection, end)).result()
    recorder.stop(60)
    store.checkpoint()
    store.close()


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
    (options.out / FILE).write_bytes(packed)
    (options.out / _MADE_OF).write_text(f"{made_of()}\n")
    sys.stdout.write(f"{len(packed)} bytes in {options.out / FILE}\n")


if __name__ == "__main__":
    main()
