from __future__ import annotations

from random import Random

from spendtop.collector.dictionary_training import DictionaryTraining
from spendtop.domain.clock import DAY
from spendtop.services.stores.lease import OwnedWrites, SoleOwner
from spendtop.store import bodies
from tests.collector.conftest import Bench

SYSTEM = " ".join(f"{Random(number).getrandbits(60):x}" for number in range(80))
ENOUGH = 1_100


def body(number: int) -> bytes:
    said = " ".join(f"{Random(number * 7 + place).getrandbits(16):x}" for place in range(8))
    return f'{{"system": "{SYSTEM}", "user": "{said}"}}'.encode()


def training(bench: Bench, owns: bool = True) -> DictionaryTraining:
    return DictionaryTraining(
        bench.store, bench.recorder, OwnedWrites(bench.recorder, SoleOwner()), lambda: owns, bench.clock
    )


def dictionaries(bench: Bench) -> list[int]:
    return [row[0] for row in bench.rows("SELECT id FROM dictionary ORDER BY made_at")]


async def test_one_is_trained_once_there_are_enough_bodies_and_packs_those_that_follow(bench: Bench) -> None:
    bench.start()
    loop = training(bench)
    bench.record(*(bench.request(request_body=body(number)) for number in range(900)))
    await loop.look()
    assert dictionaries(bench) == []
    bench.record(*(bench.request(request_body=body(number)) for number in range(900, ENOUGH)))
    await training(bench, owns=False).look()
    assert dictionaries(bench) == [], "whoever has the lease trains"
    await loop.look()
    (trained,) = dictionaries(bench)
    bench.record(bench.request(request_body=body(ENOUGH)))
    (used, data), (before, older) = bench.rows("SELECT dictionary, data FROM body ORDER BY request_id DESC LIMIT 2")
    assert (used, before) == (trained, bodies.shipped())
    assert bodies.decode(data) == (body(ENOUGH), None)
    assert len(data) < len(older) / 2


async def test_another_one_is_taken_where_it_gains_and_after_a_week(bench: Bench) -> None:
    bench.start()
    loop = training(bench)
    bench.record(*(bench.request(request_body=body(number)) for number in range(ENOUGH)))
    await loop.look()
    bench.clock.advance(DAY + 1)
    await loop.look()
    assert len(dictionaries(bench)) == 1, "nothing is gained by a second one"
    bench.clock.advance(7 * DAY)
    await loop.look()
    assert bench.recorder.dictionary is None, "no bodies are new enough to train on"
    bench.record(*(bench.request(request_body=body(number)) for number in range(ENOUGH, 2 * ENOUGH)))
    await loop.look()
    assert len(dictionaries(bench)) == 2
    assert bench.recorder.dictionary is not None and bench.recorder.dictionary.id == dictionaries(bench)[-1]
