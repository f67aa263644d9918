from __future__ import annotations

import asyncio
import ctypes
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from spendtop.config.file_watch import changes
from tests.waiting import DEADLINE


@asynccontextmanager
async def watching(*paths: Path) -> AsyncIterator[asyncio.Queue[None]]:
    """A queue with one item for each change that is told."""
    stop, told = asyncio.Event(), asyncio.Queue[None]()
    noticed = changes(paths, stop)

    async def listen() -> None:
        async for _ in noticed:
            told.put_nowait(None)

    async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as tasks:
        tasks.create_task(listen())
        yield told
        stop.set()


_Capabilities = ctypes.c_uint32 * 6
"""Twice, for the lower and the upper half: effective, permitted, inheritable."""
_CAPABILITIES_3 = 0x20080522
_PAST_PERMISSIONS = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH; see capabilities(7)."""


@pytest.fixture
def bound_by_permissions() -> Iterator[None]:
    """Also root, in this thread and those that it starts."""
    libc, header, held = ctypes.CDLL(None, use_errno=True), (ctypes.c_uint32 * 2)(_CAPABILITIES_3, 0), _Capabilities()
    assert libc.capget(header, held) == 0, ctypes.get_errno()
    bound = _Capabilities(*held)
    bound[0] &= ~_PAST_PERMISSIONS
    assert libc.capset(header, bound) == 0, ctypes.get_errno()
    yield
    assert libc.capset(header, held) == 0, ctypes.get_errno()


def rewrite(file: Path) -> None:
    file.write_text("new text")


def replace(file: Path) -> None:
    """As editors save."""
    (file.parent / "new").write_text("new text")
    (file.parent / "new").rename(file)


def remove(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize("change", [rewrite, replace, remove])
async def test_a_changed_file_is_told(folder: Path, change: Callable[[Path], None]) -> None:
    file = folder / "spendtop.toml"
    file.write_text("old")
    async with watching(file) as told:
        change(file)
        await told.get()


async def test_other_files_are_not_told(folder: Path) -> None:
    file = folder / "spendtop.toml"
    file.write_text("old")
    async with watching(file) as told:
        (folder / "other.toml").write_text("x")
        rewrite(file)
        await told.get()
        (folder / "other.toml").write_text("y")
        remove(file)
        await told.get()
        assert told.empty()


async def test_links_are_followed_and_their_exchange_is_told(folder: Path) -> None:
    for version in ("one", "two"):
        (folder / version).mkdir()
        (folder / version / "spendtop.toml").write_text(version)
    (folder / "data").symlink_to("one")
    seen = folder / "config" / "spendtop.toml"
    seen.parent.mkdir()
    seen.symlink_to("../data/spendtop.toml")
    async with watching(seen) as told:
        rewrite(folder / "one" / "spendtop.toml")
        await told.get()
        (folder / "next").symlink_to("two")
        (folder / "next").rename(folder / "data")
        await told.get()
        replace(folder / "two" / "spendtop.toml")
        await told.get()


async def test_a_folder_tells_of_the_files_in_it_even_if_it_is_made_later(folder: Path) -> None:
    themes = folder / "deep" / "themes"
    async with watching(themes, folder / "spendtop.toml") as told:
        themes.mkdir(parents=True)
        (themes / "night.toml").write_text("x")
        await told.get()
        (themes / "day.toml").write_text("x")
        await told.get()


@pytest.mark.usefixtures("bound_by_permissions")
async def test_a_file_that_must_not_be_read_is_told_once_it_may(folder: Path) -> None:
    closed, other = folder / "closed.toml", folder / "other.toml"
    for file in (closed, other):
        file.write_text("old")
    closed.chmod(0)
    async with watching(closed, other) as told:
        rewrite(other)
        await told.get()
        closed.chmod(0o600)
        rewrite(closed)
        await told.get()


async def test_watching_ends_when_it_is_stopped(folder: Path) -> None:
    async with watching(folder) as told:
        pass
    assert told.empty()
