"""An empty store: what is done is ticked off, and keys do the rest."""

from __future__ import annotations

from pathlib import Path

from spendtop.store.engine import Store
from spendtop.tui.app import SpendtopApp
from spendtop.tui.overview.welcome import Welcome
from tests.tui.conftest import Sessions, Till, opened, picture, typed, until


def ticked(app: SpendtopApp) -> list[str]:
    """The steps that are done."""
    lines = ("".join(text for text, _ in line) for line in app.screen.query_one(Welcome).content(78, 40))
    return [line.strip()[1:].split("  ")[1].strip() for line in lines if line.strip().startswith(app.glyphs.good)]


async def test_what_is_done_is_ticked_off_and_keys_do_the_rest(
    session_over: Sessions, till: Till, store: Store, tmp_path: Path
) -> None:
    config = tmp_path / "spendtop.toml"
    app = SpendtopApp(session_over(config_file=config, folder=tmp_path))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "Nothing recorded yet" in picture(pilot))
        await until(pilot, lambda: ticked(app) == ["listen", "a first limit"])
        config.touch()
        await until(pilot, lambda: ticked(app) == ["write spendtop.toml", "listen", "a first limit"])
        keys = picture(pilot).splitlines()[-1]
        assert "n new token" in keys and "y copy address" in keys and "tab pane" not in keys
        await pilot.press("n")
        await typed(pilot, "my app")
        await pilot.press("enter")
        await until(pilot, lambda: "SPENDTOP_INGEST_KEY" in picture(pilot))
