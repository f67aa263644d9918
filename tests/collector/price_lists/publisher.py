"""Small price lists, and a server on this machine that publishes one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from spendtop.collector.price_lists.kept_list import KeptList
from spendtop.collector.price_lists.raw_list import read_list
from spendtop.domain.pricing.list_version import ListVersion
from spendtop.domain.pricing.published_list import PublishedList
from tests.sources.pollers.fake_provider import Answer, Asked, FakeProvider

PATH = "/prices/data.json"
TEN = tuple(f"acme-{number}" for number in range(10))


def a_list(models: Sequence[str] = TEN, input_mtok: float = 2, **changes: Any) -> bytes:
    """Acme's price list as it is published."""
    entries = [
        {"id": model, "match": {"equals": model}, "prices": {"input_mtok": input_mtok, "output_mtok": 4}}
        for model in models
    ]
    provider = {"id": "acme", "name": "Acme", "api_pattern": "https://api\\.acme\\.example", "models": entries}
    return json.dumps([provider | changes]).encode()


def in_use(raw: bytes) -> PublishedList:
    return PublishedList(read_list(raw), ListVersion.of_package("0"))


def name_of(raw: bytes, day: str) -> str:
    return f"genai-prices {day} sha256:{sha256(raw).hexdigest()[:8]}"


def kept_in(folder: Path) -> KeptList:
    return KeptList(folder / "price_list")


class Publisher(FakeProvider):
    """Publishes `raw`."""

    def __init__(self, raw: bytes = b"", *, tls: bool = False) -> None:
        super().__init__(tls=tls)
        self.raw = raw or a_list()

    @property
    def list_url(self) -> str:
        return self.url + PATH

    def good(self, asked: Asked) -> Answer:
        return Answer(body=self.raw)
