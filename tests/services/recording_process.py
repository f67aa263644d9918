"""A process that records numbered requests for ever and says on its standard output which ids are acknowledged."""

from __future__ import annotations

import os
import sys
from itertools import count
from pathlib import Path

from spendtop.domain.money import Usd
from spendtop.domain.pricing.pricer import Pricer
from spendtop.domain.requests.request import Cost, Request, TimeSource, Usage
from spendtop.domain.sources.records import HELICONE
from spendtop.domain.windows import Calendar
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording.preparation import Preparer
from spendtop.services.recording.recorder import Recorder
from spendtop.store.engine import Store
from spendtop.store.schema import upgrade

AT = 1_795_000_000_000_000
UNANSWERED = 64
"""How many requests are under way at a time."""


def main(path: Path, first: int) -> None:
    """Record from number `first` on into the SQLite file."""
    store = Store(f"sqlite:///{path}")
    upgrade(store)
    preparer = Preparer(Pricer({}, None, lambda provider, model, terms, at: None), None, keep_bodies=True)
    recorder = Recorder(store, preparer, LimitBook((), Calendar(), {}))
    recorder.start()
    free = os.pipe()
    os.write(free[1], b"." * UNANSWERED)
    for number in count(first):
        os.read(free[0], 1)

        def acknowledged(outcome: object, number: int = number) -> None:
            assert not isinstance(outcome, Exception)
            os.write(1, b"%d\n" % number)
            os.write(free[1], b".")

        recorder.submit([_request(number)], acknowledged)


def _request(number: int) -> Request:
    return Request(
        source=HELICONE,
        external_id=f"id-{number}",
        received_at=AT + number,
        occurred_at=AT + number,
        time_source=TimeSource.PROVIDER,
        usage=Usage(prompt=10, completion=5),
        cost=Cost(reported=Usd(number)),
        request_body=b'{"n": %d}' % number,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
