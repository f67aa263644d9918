"""The updater against a real server that misbehaves."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from genai_prices.update_prices import DEFAULT_UPDATE_URL, UpdatePrices

from spendtop.collector.price_lists.list_update import ListUpdate
from spendtop.config.settings import PRICE_LIST_URL
from spendtop.domain.errors import CannotCreate
from spendtop.sources.pollers import PollFailed
from spendtop.sources.pollers.http_client import FetchBounds
from tests.collector.price_lists.publisher import PATH, TEN, Publisher, a_list, in_use, kept_in, name_of
from tests.conftest import SettableClock
from tests.sources.pollers.fake_provider import (
    Answer,
    Fault,
    bad_key,
    bomb,
    cut_off,
    failed,
    packed,
    redirected,
    truncated,
    web_page,
)

QUICK = FetchBounds(attempts=1, most_bytes=1 << 20)
REFUSED = "it is refused and the old one goes on"


def update(publisher: Publisher, folder: Path, clock: SettableClock, bounds: FetchBounds = QUICK) -> ListUpdate:
    return ListUpdate(publisher.list_url, kept_in(folder), in_use(a_list()), clock, bounds)


def test_it_is_the_packages_own_updater_at_the_packages_own_address() -> None:
    assert issubclass(ListUpdate, UpdatePrices)
    assert PRICE_LIST_URL == DEFAULT_UPDATE_URL


@pytest.mark.parametrize("fault", [None, packed])
def test_a_good_list_is_fetched_and_kept(tmp_path: Path, clock: SettableClock, fault: Fault | None) -> None:
    with Publisher(a_list([*TEN, "acme-new"])) as publisher:
        publisher.always = fault
        updating = update(publisher, tmp_path, clock)
        snapshot = updating.fetch()
    assert snapshot.find_provider_model("acme-new", None, "acme", None)
    assert updating.version.name == name_of(publisher.raw, "2026-11-20")
    kept = kept_in(tmp_path).load(publisher.list_url)
    assert kept is not None and (kept.version, kept.snapshot.providers) == (updating.version, snapshot.providers)


def test_nothing_is_sent_but_the_question(tmp_path: Path, clock: SettableClock) -> None:
    with Publisher() as publisher:
        update(publisher, tmp_path, clock).fetch()
    (asked,) = publisher.asked
    assert (asked.method, asked.path, asked.query, asked.body) == ("GET", PATH, {}, b"")
    assert set(asked.headers) == {"host", "accept", "accept-encoding", "connection", "user-agent"}
    assert asked.headers["user-agent"].startswith("spendtop/")


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (failed(500), "127.0.0.1 has a fault of its own (500); it is asked again at the next poll"),
        (
            failed(404),
            "127.0.0.1 does not know what it was asked for (404): this organization or key may not have it. "
            "Check update_url under [pricing]. Else check the address configured for it",
        ),
        (bad_key, "127.0.0.1 refuses to give the price list; check update_url under [pricing]"),
        (
            redirected("http://127.0.0.1:1/list"),
            "127.0.0.1 answered with a redirect (302), which is never followed; check the address configured for it",
        ),
        (cut_off, "127.0.0.1 cannot be reached (RemoteProtocolError); check the network and the address configured"),
        (bomb, "127.0.0.1's answer is larger than 1 MiB and was not read; check the address configured for it"),
        (
            lambda good: Answer(body=b" " * (2 << 20)),
            "127.0.0.1's answer is larger than 1 MiB and was not read; check the address configured for it",
        ),
        (truncated, f"The price list of 127.0.0.1 is no whole JSON; {REFUSED}"),
        (web_page, f"The price list of 127.0.0.1 is no whole JSON; {REFUSED}"),
        (lambda good: Answer(body=b"{}"), f"The price list of 127.0.0.1 is no list of providers; {REFUSED}"),
        (lambda good: Answer(body=b"[{}]"), f"The price list of 127.0.0.1 cannot be read; {REFUSED}"),
        (
            lambda good: Answer(body=a_list(TEN[:7])),
            f"The price list of 127.0.0.1 lacks 3 of the 10 models of the one in use; {REFUSED}",
        ),
        (
            lambda good: Answer(body=a_list([f"other-{each}" for each in TEN])),
            f"The price list of 127.0.0.1 lacks 10 of the 10 models of the one in use; {REFUSED}",
        ),
        (
            lambda good: Answer(body=b"[]"),
            f"The price list of 127.0.0.1 lacks 10 of the 10 models of the one in use; {REFUSED}",
        ),
    ],
)
def test_what_is_no_good_list_is_refused_and_the_kept_one_stays(
    tmp_path: Path, clock: SettableClock, fault: Fault, sentence: str
) -> None:
    with Publisher() as publisher:
        update(publisher, tmp_path, clock).fetch()
        before = kept_in(tmp_path).path.read_bytes()
        publisher.always = fault
        with pytest.raises(PollFailed) as refusal:
            update(publisher, tmp_path, clock).fetch()
    assert str(refusal.value) == sentence
    assert kept_in(tmp_path).path.read_bytes() == before
    assert len(publisher.asked) == 2


def test_endless_bytes_end_at_the_cap(tmp_path: Path, clock: SettableClock) -> None:
    with Publisher() as publisher:
        publisher.always = publisher.endless
        with pytest.raises(PollFailed, match=r"larger than 19 MiB"):
            ListUpdate(publisher.list_url, kept_in(tmp_path), in_use(a_list()), clock).fetch()


def test_a_list_that_comes_in_drops_ends_at_the_deadline(tmp_path: Path, clock: SettableClock) -> None:
    with Publisher() as publisher:
        publisher.always = publisher.drip
        with pytest.raises(PollFailed, match=r"did not answer in time"):
            update(publisher, tmp_path, clock, FetchBounds(attempts=1, deadline=0.2)).fetch()


def test_a_fifth_of_the_models_may_go(tmp_path: Path, clock: SettableClock) -> None:
    with Publisher(a_list(TEN[:8])) as publisher:
        assert len(update(publisher, tmp_path, clock).fetch().providers[0].models) == 8


def test_nobody_listening_is_said(tmp_path: Path, clock: SettableClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}{PATH}"
    with pytest.raises(PollFailed, match=r"^127\.0\.0\.1 cannot be reached \(ConnectError\)"):
        ListUpdate(url, kept_in(tmp_path), in_use(a_list()), clock, QUICK).fetch()


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tmp_path: Path, clock: SettableClock) -> None:
    with Publisher(tls=True) as publisher, pytest.raises(PollFailed, match=r"certificate .* cannot be trusted"):
        update(publisher, tmp_path, clock).fetch()
    assert publisher.asked == []


def test_a_list_that_cannot_be_kept_is_not_used(tmp_path: Path, clock: SettableClock) -> None:
    (tmp_path / "price_list").mkdir()
    with Publisher() as publisher, pytest.raises(CannotCreate):
        update(publisher, tmp_path, clock).fetch()
