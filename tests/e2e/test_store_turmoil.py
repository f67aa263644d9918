"""A store that is taken away and given back, and a disk that fills and empties, while webhooks come, with a kill."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.e2e.processes import LISTENER, CollectorProcess, collecting, rows, spendtop, webhook
from tests.helicone_captures import sign
from tests.small_disk import SmallDisk, small_disk
from tests.waiting import DEADLINE, eventually

LARGE = "n" * 20_000
SEEDS = [1, 2, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(3, 21))]
TURNS = 6


class Traffic:
    """Webhooks one after the other, and which of them were confirmed."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._stop = threading.Event()
        self.answers: list[int] = []
        self.confirmed: list[str] = []

    @contextmanager
    def flowing(self) -> Iterator[None]:
        thread = threading.Thread(target=self._post)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _post(self) -> None:
        with httpx.Client(base_url=self._url, trust_env=False, timeout=DEADLINE) as client:
            while not self._stop.is_set():
                request_id = f"{self._name}-{len(self.answers)}"
                raw = webhook(request_id, response_body=LARGE)
                try:
                    answer = client.post("/webhook", content=raw, headers={"Helicone-Signature": sign(raw)})
                except httpx.TransportError:
                    return  # it was killed
                self.answers.append(answer.status_code)
                if answer.status_code == 200:
                    self.confirmed.append(request_id)

    def comes(self, status: int) -> None:
        """Wait for two more answers of this kind."""
        wanted = self.answers.count(status) + 2
        eventually(lambda: self.answers.count(status) >= wanted)


def taken_away(traffic: Traffic, disk: SmallDisk) -> None:
    """Not under a write: what is in flight is not confirmed."""
    store = disk.folder / "spendtop.db"
    store.rename(disk.folder / "aside")
    traffic.comes(503)
    (disk.folder / "aside").rename(store)


def filled(traffic: Traffic, disk: SmallDisk) -> None:
    disk.fill()
    traffic.comes(507)
    disk.free()


def left_alone(traffic: Traffic, _disk: SmallDisk) -> None:
    traffic.comes(200)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_to_it_what_was_confirmed_is_stored_once(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    folder, confirmed = tmp_path / "home", list[str]()
    turns: list[Callable[[Traffic, SmallDisk], None]] = [taken_away, filled, left_alone]
    with small_disk(tmp_path / "small", megabytes=48) as disk:
        config = f'{LISTENER}[database]\nurl = "sqlite:///{disk.folder}/spendtop.db"\ndisk_reserve = 0\n'
        for name in ("killed", "ended"):
            with collecting(folder, config) as collector:
                traffic = Traffic(collector.url, name)
                with traffic.flowing():
                    for _ in range(TURNS // 2):
                        chance.choice(turns)(traffic, disk)
                        traffic.comes(200)
                    if name == "killed":
                        collector.process.kill()
                confirmed += traffic.confirmed
                ended(collector, name)
        stored = [found for (found,) in rows(disk.folder, "SELECT external_ids ->> 'helicone' FROM request")]
        assert len(stored) == len(set(stored))
        assert set(confirmed) <= set(stored)
        verified = spendtop(folder, "db", "verify", "--config", folder / "spendtop.toml")
        assert verified.code == 0, verified


def ended(collector: CollectorProcess, name: str) -> None:
    if name == "ended":
        assert collector.end().code == 0
    assert "Traceback" not in collector.err
