"""The package's updater, bounded and careful. To import it loads the package: only where lists are fetched."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from genai_prices.data_snapshot import DataSnapshot
from genai_prices.update_prices import UpdatePrices

from spendtop.collector.price_lists.kept_list import KeptList
from spendtop.collector.price_lists.raw_list import MOST_BYTES, NoPriceList, read_list
from spendtop.domain.clock import Clock
from spendtop.domain.pricing.list_version import ListVersion
from spendtop.domain.pricing.published_list import PublishedList, models_of
from spendtop.sources.pollers import KeyRefused, PollFailed
from spendtop.sources.pollers.http_client import FetchBounds, Fetcher

BOUNDS = FetchBounds(deadline=20.0, total=20.0, most_bytes=MOST_BYTES, attempts=1)
"""Short, as the end of the program waits for a fetch that is under way."""
_MOST_LOST = 0.2
"""Of the models in use."""
_OLD = "it is refused and the old one goes on"


class ListUpdate(UpdatePrices):
    """Fetches a list, judges it beside the one in use, and keeps it on disk.

    Its `start` is never called: that is a thread which changes the prices of the whole process, unasked and for ever.
    """

    version: ListVersion
    """Of the list that was fetched last."""

    def __init__(
        self,
        url: str,
        kept: KeptList,
        in_use: PublishedList,
        clock: Clock,
        bounds: FetchBounds = BOUNDS,
    ) -> None:
        super().__init__(url=url)
        self._kept = kept
        self._in_use = in_use
        self._clock = clock
        self._bounds = bounds

    def fetch(self) -> DataSnapshot:
        """The list as it is published now; blocks, so outside any event loop.

        Raises PollFailed for what is no good list, other SpendtopErrors where it cannot be kept.
        """
        raw = asyncio.run(self._download())
        try:
            snapshot = read_list(raw)
        except NoPriceList as problem:
            raise PollFailed(f"The price list of {self._host} {problem}; {_OLD}") from None
        self._compare(snapshot)
        self.version = self._kept.keep(raw, self.url, self._clock()).version
        return snapshot

    async def _download(self) -> bytes:
        parts = urlsplit(self.url)
        address = f"{parts.scheme}://{parts.netloc}"
        fetcher = Fetcher(self._host, address, {"Accept-Encoding": "gzip"}, advise=_what_to_do, bounds=self._bounds)
        try:
            async with fetcher.poll() as poll:
                return (await poll.answer("GET", parts.path or "/")).raw
        except KeyRefused:  # though there is none
            raise PollFailed(f"{self._host} refuses to give the price list; check update_url under [pricing]") from None

    def _compare(self, snapshot: DataSnapshot) -> None:
        """Refuse what would leave many requests without a price."""
        before = self._in_use.models
        lost = len(before - models_of(snapshot))
        if lost > _MOST_LOST * len(before):
            raise PollFailed(
                f"The price list of {self._host} lacks {lost:,} of the {len(before):,} models of the one in use; {_OLD}"
            )

    @property
    def _host(self) -> str:
        return urlsplit(self.url).hostname or self.url


def _what_to_do(status: int, message: str) -> str:
    return "Check update_url under [pricing]."
