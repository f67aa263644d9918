"""The fetched list on this machine's disk, so that a start without a network prices by the last good one."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from msgspec import DecodeError, Struct, json
from msgspec.structs import replace

from spendtop.collector.price_lists.raw_list import MOST_BYTES, NoPriceList, read_list
from spendtop.config.paths import data_folder
from spendtop.config.settings import PricingSettings
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.domain.pricing.list_version import ListVersion
from spendtop.domain.pricing.published_list import PublishedList, bundled_list, package_release
from spendtop.services.exchange import files as export_files
from spendtop.store.files import prepare_folder

_LONGEST_HEAD = 4096


class Head(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line of the file; the list as it came follows."""

    url: str
    sha256: str
    fetched_at: int
    """When this very list was fetched first, UTC µs."""
    confirmed_at: int
    """When it was fetched last."""
    package: str
    """The release of the package that fetched it."""

    @property
    def version(self) -> ListVersion:
        return ListVersion.of_fetched(self.sha256, self.fetched_at, self.confirmed_at)


class KeptList:
    """One file per machine and user: each collector fetches for itself, and those of one data folder share it."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = data_folder() / "price_list" if path is None else path

    def keep(self, raw: bytes, url: str, now: int) -> Head:
        """Write a list in place of the one before. Raises CannotCreate, CannotWrite or NoPermission."""
        digest = sha256(raw).hexdigest()
        before = self.head()
        same = before is not None and (before.sha256, before.url) == (digest, url)
        head = Head(
            url=url,
            sha256=digest,
            fetched_at=before.fetched_at if before is not None and same else now,
            confirmed_at=now,
            package=package_release(),
        )
        prepare_folder(self.path)
        export_files.replace(self.path, (json.encode(head), b"\n", raw))
        return head

    def head(self) -> Head | None:
        """What the file says of its list; None where there is none that can be read."""
        try:
            with self.path.open("rb") as file:
                return _head(file.readline(_LONGEST_HEAD))
        except (OSError, DecodeError):
            return None

    def load(self, url: str) -> PublishedList | None:
        """The list that was kept of this address; None where there is none.

        One that an earlier release of the package fetched is left: the installed one brings a newer list of its own.
        Raises NoPriceList for a file that is damaged.
        """
        try:
            with self.path.open("rb") as file:
                line, raw = file.readline(_LONGEST_HEAD), file.read(MOST_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise NoPriceList(f"cannot be read: {error.strerror}") from None
        try:
            head = _head(line)
        except DecodeError:
            raise NoPriceList("is damaged") from None
        if (head.url, head.package) != (url, package_release()):
            return None
        if sha256(raw).hexdigest() != head.sha256:
            raise NoPriceList("is damaged")
        return PublishedList(read_list(raw), head.version)


def first_list(pricing: PricingSettings, kept: KeptList) -> PublishedList:
    """The list to begin with: the kept one where lists are fetched and one is there, else the package's."""
    try:
        fetched = kept.load(pricing.update_url) if pricing.update else None
    except NoPriceList as damage:
        problem = f"The kept price list {kept.path} {damage}; the one that came with the program is used"
        return replace(bundled_list(), problem=problem)
    return fetched or bundled_list()


def catalogue_of(pricing: PricingSettings) -> PublishedPrices:
    """The published prices to begin with; nothing is loaded yet."""
    return PublishedPrices(lambda: first_list(pricing, KeptList()))


def _head(line: bytes) -> Head:
    return json.decode(line, type=Head)
