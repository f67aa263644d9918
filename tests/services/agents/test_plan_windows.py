from __future__ import annotations

from pathlib import Path

import msgspec

from spendtop.services.agents import plan_windows
from spendtop.store.engine import Store
from tests.domain.agents.test_plan_windows import window


def test_what_files_and_a_status_line_say_is_known_together_with_the_newest_word(store: Store, tmp_path: Path) -> None:
    with store.writing() as connection:
        plan_windows.note(connection, "box", [window(at=1), window(10_080, at=5)])
        plan_windows.note(connection, "box", [window(at=3)])
        plan_windows.note(connection, "box", [window(at=2)])
        assert plan_windows.known(connection, "box", tmp_path) == (window(at=3), window(10_080, at=5))
        (tmp_path / plan_windows.FILE).write_bytes(msgspec.json.encode([window(at=9)]))
        assert plan_windows.known(connection, "box", tmp_path) == (window(at=9), window(10_080, at=5))
        (tmp_path / plan_windows.FILE).write_text("[{}")
        assert plan_windows.known(connection, "other", tmp_path) == ()
