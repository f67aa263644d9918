"""Limits in their file: opened in the user's editor, or one more by a form; and what became of the change."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from difflib import unified_diff
from functools import partial
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from spendtop.domain.config_slips import first_slip
from spendtop.domain.untrusted import clean_line, clean_name
from spendtop.tui.limits.backtest import try_on_the_past
from spendtop.tui.limits.editor import NO_EDITOR, edited, editor_command

if TYPE_CHECKING:
    from spendtop.config.limit_draft import LimitDraft
    from spendtop.domain.limits.limit import Limit
    from spendtop.tui.screens.live_screen import LiveScreen
    from spendtop.tui.screens.store_writer import StoreWriter

_NO_FILE = "No spendtop.toml configures this store yet: `spendtop init` writes one."
_GO_ON = "The limits in force go on."


class ConfigDesk:
    """Changes the file that configures the limits on screen; the collector applies it, or says why not."""

    def __init__(self, screen: LiveScreen, writer: StoreWriter) -> None:
        self._screen = screen
        self._writer = writer
        self.written: str | None = None
        """The name of a limit that the form wrote and that is not on screen yet."""

    @property
    def _path(self) -> Path | None:
        """The file, where it may be changed here; says why not otherwise."""
        face = self._screen.face
        if not self._writer.may_write():
            return None
        applied = face.headline.applied if face.headline else None
        if applied is not None and applied.collector.host not in ("", gethostname()) and face.collector is None:
            host = clean_name(applied.collector.host, 40)
            self._screen.warn(f"The collector on {host} reads the spendtop.toml there: change the limits there.")
            return None
        path = face.session.config_file
        if path is None or not path.is_file():
            self._screen.warn(_NO_FILE)
            return None
        return path

    # In the editor

    def edit(self, limit: Limit | None) -> None:
        """Open the file at the limit, and look at what became of it."""
        from spendtop.config.limit_draft import limit_line

        path = self._path
        before = None if path is None else self._text(path)
        if path is None or before is None:
            return
        line = None if limit is None else limit_line(before, limit.name)
        command = editor_command(os.environ, path, line)
        if command is None:
            self._screen.warn(NO_EDITOR)
            return
        try:
            with self._screen.app.suspend():
                trouble = edited(command)
        except SuspendNotSupported:
            self._screen.warn("This terminal cannot be handed to an editor. Change the file in another one.")
            return
        self._screen.app.refresh(layout=True)
        after = self._text(path)
        if trouble:
            self._screen.warn(f"{trouble} {_GO_ON if after == before else ''}".rstrip())
        if after is None or after == before:
            if not trouble:
                self._screen.notify(f"Nothing was changed. {_GO_ON}", markup=False)
            return
        self._changed(path)

    def _text(self, path: Path) -> str | None:
        from spendtop.config.file_edit import read_text

        try:
            return read_text(path)
        except (OSError, UnicodeDecodeError) as failure:
            self._screen.warn(f"{path} cannot be read ({type(failure).__name__}). {_GO_ON}")
            return None

    def _changed(self, path: Path) -> None:
        """Say at once what is wrong with the file; what is applied the collector says, on every screen."""
        self._screen.run_worker(partial(self._check, path), thread=True, exit_on_error=False, group="config")

    def _check(self, path: Path) -> None:
        """Runs in a thread."""
        from spendtop.config.config_files import ConfigFiles
        from spendtop.config.load import read_files
        from spendtop.config.problems import in_one

        files = ConfigFiles(here=path.parent, folder=path.parent, document=path)
        problems = read_files(files, sections=self._screen.face.session.sections).problems
        if problems:
            words = first_slip(str(in_one(problems)))
            self._screen.report(f"Not applied: {clean_line(words, 300)}. {_GO_ON} e opens the file again.", "error")
        elif self._screen.face.status_facts().nobody_records:
            self._screen.report("Saved. No collector runs: it is applied when one starts.")

    # By the form

    def new(self, like: Limit | None, texts: Mapping[str, str] | None = None) -> None:
        """Ask for a limit; its window and whose it is are those of the selected one until something else is typed."""
        from spendtop.tui.limits.form import LimitFormScreen

        path = self._path
        text = None if path is None else self._text(path)
        if path is None or text is None:
            return
        if texts is None:
            each = like.each.value if like is not None and like.each is not None else ""
            texts = {"window": like.window.text if like is not None else "day", "each": each}
        form = LimitFormScreen(texts, partial(self._problems, text))
        self._screen.app.push_screen(form, partial(self._preview, path, text))

    def _problems(self, text: str, draft: LimitDraft) -> Mapping[str, str]:
        """Runs in a thread."""
        try:
            problems = draft.problems(text, self._screen.face.session.sections)
        except ValueError:
            return {"file": "the file as it is now is not valid TOML; esc, then e opens it"}
        if not problems and draft.added_to(text) is None:
            return {"file": "the file is written in a way that is not edited safely; esc, then e opens it"}
        return problems

    def _preview(self, path: Path, text: str, draft: LimitDraft | None) -> None:
        from spendtop.tui.limits.form import LimitPreviewScreen

        if draft is None:
            return

        def backtest() -> None:
            try_on_the_past(self._screen, draft.settings().limit())

        preview = LimitPreviewScreen(path, draft.lines, backtest)
        self._screen.app.push_screen(preview, partial(self._save, path, text, draft))

    def _save(self, path: Path, text: str, draft: LimitDraft, wanted: bool | None) -> None:
        if not wanted:
            self.new(None, draft.texts)
            return
        self._in_thread(partial(self._written, path, text, draft))

    def _written(self, path: Path, text: str, draft: LimitDraft) -> Callable[[], None]:
        """Runs in a thread; what is to be done then on screen."""
        from spendtop.config.file_edit import read_text, replace_text

        edited_text = draft.added_to(text)
        assert edited_text is not None  # was checked by the form
        try:
            present = read_text(path)
            if present != text:
                return partial(self._conflict, path, text, present, draft)
            replace_text(path, edited_text)
        except (OSError, UnicodeDecodeError) as failure:
            return partial(self._screen.warn, f"{path} cannot be written ({type(failure).__name__}). {_GO_ON}")
        return partial(self._appended, path, draft)

    def _appended(self, path: Path, draft: LimitDraft) -> None:
        self.written = draft.settings().limit().name
        self._changed(path)

    def _in_thread(self, work: Callable[[], Callable[[], None]]) -> None:
        def run() -> None:
            self._screen.app.call_from_thread(work())

        self._screen.run_worker(run, thread=True, exit_on_error=False, group="config")

    def _conflict(self, path: Path, before: str, present: str, draft: LimitDraft) -> None:
        from spendtop.tui.limits.form import ChangedFileScreen

        changes = unified_diff(before.splitlines(), present.splitlines(), n=1, lineterm="")
        shown = [clean_line(line, 200) for line in [*changes][2:]]
        screen = ChangedFileScreen(path, shown, draft.lines)
        self._screen.app.push_screen(screen, lambda _: self.new(None, draft.texts))
