"""What is done on the way to the first request and after it, and the keys that do the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from spendtop.domain.sources.records import ANTHROPIC_PUSH, OPENROUTER_PUSH
from spendtop.tui.limits.config_desk import ConfigDesk
from spendtop.tui.overview.welcome import SetupStep, Welcome
from spendtop.tui.screens.clipboard import Clipboard
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.screens.store_writer import StoreWriter
from spendtop.tui.sources.tracking_tokens import TokenDraft, TrackingTokens
from spendtop.tui.widgets.canvas import Line, Piece, length

if TYPE_CHECKING:
    from spendtop.services.agents.found import AgentFound
    from spendtop.tui.headline import Headline

KEYS = ("copy-address", "new-token", "send-test", "edit")
"""Ids of the actions."""
_LISTED: Mapping[SetupStep, tuple[str, str]] = {
    SetupStep.CONFIGURED: ("e", "spendtop.toml"),
    SetupStep.LISTENING: ("!", "listening"),
    SetupStep.HEARD: ("T", "first event"),
    SetupStep.LIMITED: ("5 n", "first limit"),
    SetupStep.TOLD: ("6 T", "tested channel"),
}
"""What is listed until all of it is done: the keys that do it, and what it is."""


class FirstRun:
    def __init__(self, screen: LiveScreen) -> None:
        self._screen = screen
        self._clipboard = Clipboard(screen)
        self._writer = StoreWriter(screen)
        self.is_channel_tested = False
        self.agents: Sequence[AgentFound] = ()
        """As the store says."""

    @property
    def is_listed(self) -> bool:
        """Whether steps are listed, which begins with an empty store and ends once all is done or somebody ends it."""
        return self._screen.face.saved_views.is_first_run

    def follow(self, headline: Headline) -> None:
        """Begin or end the list."""
        face = self._screen.face
        if headline.is_first_run:
            face.saved_views.note_first_run(not face.session.demo)
        elif self._done(headline).issuperset(_LISTED):
            self.end()

    def end(self) -> None:
        """List them no longer."""
        self._screen.face.saved_views.note_first_run(False)

    def steps(self) -> Line:
        """What is done with its tick, or where room is short how much that is, then the rest with its keys."""
        face, done = self._screen.face, self._done(self._screen.face.headline).intersection(_LISTED)
        palette, tick = face.palette, (face.glyphs.good, face.palette.good)
        ticked: list[Piece] = []
        rest: list[Piece] = []
        for step, (keys, what) in _LISTED.items():
            if step in done:
                ticked += [tick, (f" {what}   ", palette.muted)]
            else:
                rest += [(keys, palette.key), (f" {what}   ", palette.text)]
        rest += [("q", palette.key), (" ends this list", palette.muted)]
        if length([*ticked, *rest]) > self._screen.size.width - 2:
            ticked = [tick, (f" {len(done)} of {len(_LISTED)}   ", palette.muted)]
        return [*ticked, *rest]

    def tell(self, is_billed: bool) -> None:
        """Bring the welcome up to date; draw it where that changed it."""
        face, welcome = self._screen.face, self._screen.query_one(Welcome)
        collector = face.collector
        why = "" if collector else face.status_facts().standing.sentence
        told = (face.webhook_url, collector, why, is_billed, self._done(face.headline))
        shown = (welcome.webhook, welcome.collector, welcome.why_unrecorded, welcome.is_billed, welcome.done)
        if (shown, welcome.agents) != (told, self.agents):
            welcome.agents = self.agents
            welcome.webhook, welcome.collector, welcome.why_unrecorded, welcome.is_billed, welcome.done = told
            welcome.redraw()

    def _done(self, headline: Headline | None) -> frozenset[SetupStep]:
        face, applied = self._screen.face, headline.applied if headline else None
        config = face.session.config_file
        was_heard = headline is not None and bool(
            not headline.is_first_run or headline.attention.tests or headline.attention.unrecognized
        )
        pushing = applied.doors.ingest_keys if applied is not None else ()
        steps = {
            SetupStep.CONFIGURED: config is not None and config.is_file(),
            SetupStep.LISTENING: face.collector is not None and face.collector.url is not None,
            SetupStep.ANTHROPIC: ANTHROPIC_PUSH.name in pushing,
            SetupStep.OPENROUTER: OPENROUTER_PUSH.name in pushing,
            SetupStep.HEARD: was_heard,
            SetupStep.LIMITED: applied is not None and bool(applied.limits),
            SetupStep.TOLD: self.is_channel_tested,
        }
        return frozenset(step for step, is_done in steps.items() if is_done)

    def copy_address(self) -> None:
        """Of the webhook, once it is known."""
        address = self._screen.face.webhook_url
        if address is None:
            self._screen.warn("The address is known once a collector runs.")
        else:
            self._clipboard.copy(address)

    def new_token(self) -> None:
        """Ask for one, and show the code that sends under it."""
        TrackingTokens(self._screen, self._writer, lambda _: None).create(TokenDraft())

    def send_test(self) -> None:
        """Have the collector post a request to its own webhook."""
        from spendtop.services.tasks import TaskKind

        self._writer.ask_collector(TaskKind.SAMPLE_EVENT, {})

    def edit(self) -> None:
        """Open the configuration in the user's editor."""
        ConfigDesk(self._screen, self._writer).edit(None)
