"""The spool: segments, and who may have them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from spendtop.client.spool import SEGMENT_EVENTS, Spool

MOST = 64 * 1024


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def drained(spool: Spool) -> Iterator[bytes]:
    """All events that may be had, taken out."""
    spool.seal()
    for path in spool.closed_segments():
        with spool.claimed(path) as events:
            yield from events or []


def test_events_come_out_in_their_order_once(folder: Path) -> None:
    spool = Spool(folder, MOST)
    for name in (b"a", b"b"):
        spool.append(name)
    spool.seal()
    spool.append(b"c")
    assert list(drained(spool)) == [b"a", b"b", b"c"]
    assert list(drained(spool)) == []
    assert not spool.has_unsent()


def test_a_full_segment_is_closed_by_itself(folder: Path) -> None:
    spool = Spool(folder, MOST)
    for number in range(SEGMENT_EVENTS + 1):
        spool.append(b"%d" % number)
    assert len(spool.closed_segments()) == 1


def test_a_segment_is_one_claimants_alone(folder: Path) -> None:
    ours, theirs = Spool(folder, MOST), Spool(folder, MOST)
    ours.append(b"a")
    ours.seal()
    (path,) = theirs.closed_segments()
    with ours.claimed(path) as events:
        assert events == [b"a"]
        with theirs.claimed(path) as nothing:
            assert nothing is None
    with theirs.claimed(path) as gone:
        assert gone is None


def test_a_segment_that_is_being_written_is_nobody_elses(folder: Path) -> None:
    ours, theirs = Spool(folder, MOST), Spool(folder, MOST)
    ours.append(b"a")
    assert list(drained(theirs)) == []
    assert list(drained(ours)) == [b"a"]


def test_a_failure_leaves_the_segment(folder: Path) -> None:
    spool = Spool(folder, MOST)
    spool.append(b"a")
    spool.seal()
    (path,) = spool.closed_segments()
    with pytest.raises(RuntimeError), spool.claimed(path):
        raise RuntimeError
    assert spool.has_unsent()
    assert list(drained(spool)) == [b"a"]


def test_what_is_no_segment_blocks_nothing(folder: Path) -> None:
    spool = Spool(folder, MOST)
    (folder / "0-folder.jsonl").mkdir()
    (folder / "0-link.jsonl").symlink_to("/etc/passwd")
    spool.append(b"a")
    assert list(drained(spool)) == [b"a"]


def test_a_full_disk_leaves_no_half_event(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(folder, MOST)
    spool.append(b"a")
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        write(descriptor, data[:3])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        spool.append(b"bbbbbbbb")
    monkeypatch.undo()
    spool.append(b"c")
    assert list(drained(spool)) == [b"a", b"c"]


def test_what_others_are_sending_is_not_dropped(folder: Path) -> None:
    ours, theirs = Spool(folder, MOST), Spool(folder, MOST)
    for _ in range(3):
        theirs.append(b"x" * 15_000)
        theirs.seal()
    oldest, second, _ = theirs.closed_segments()
    with theirs.claimed(oldest) as events:
        ours.append(b"y" * 30_000)
        assert events is not None
        assert oldest.exists() and not second.exists()
    assert ours.lost == 1
