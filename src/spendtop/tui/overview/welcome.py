"""The welcome of an empty store."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from spendtop.domain.condition import ConditionStatus
from spendtop.domain.untrusted import clean_line
from spendtop.tui.widgets.canvas import Line, Panel, Piece, fit, length

if TYPE_CHECKING:
    from spendtop.services.agents.found import AgentFound
    from spendtop.tui.session import AttachedCollector

_WIDTH = 76
_ROOMY = 66
"""In less room the names of the steps are cut, so that what is typed stays whole."""
_AGENTS_SHOWN = 3


class SetupStep(Enum):
    """What is done on the way to the first request, and after it."""

    CONFIGURED = auto()
    LISTENING = auto()
    ANTHROPIC = auto()
    OPENROUTER = auto()
    HEARD = auto()
    LIMITED = auto()
    TOLD = auto()


class Welcome(Panel):
    """How the first request gets here."""

    def __init__(self) -> None:
        super().__init__(id="welcome")
        self.webhook: str | None = None
        """Where gateways reach us; None where nobody listens."""
        self.collector: AttachedCollector | None = None
        self.why_unrecorded = ""
        """That no collector runs and how to start one, or nothing."""
        self.is_billed = False
        """Whether bills are shown above: only who spends it is not known then."""
        self.done: frozenset[SetupStep] = frozenset()
        self.agents: Sequence[AgentFound] = ()
        """The coding agents on this machine."""

    @property
    def title_line(self) -> Line:
        return [("Welcome to spendtop", self.palette.title)]

    def content(self, width: int, height: int) -> list[Line]:
        lines = self._words(min(width, _WIDTH))
        if len(lines) > height:
            lines = [line for line in lines if line]
        block = max((length(line) for line in lines), default=0)
        margin: Piece = (" " * max((width - block) // 2, 0), self.palette.text)
        above = max((height - len(lines)) // 2, 0)
        return [*([()] * above), *([margin, *line] for line in lines)]

    def _words(self, width: int) -> list[Line]:
        palette = self.palette
        text, muted, key, strong = palette.text, palette.muted, palette.key, palette.strong

        def step(number: str, what: str, command: str, ends: SetupStep | None = None) -> Line:
            is_done = ends in self.done
            sign: Piece = (f" {self.glyphs.good} ", palette.good) if is_done else (f" {number} ", key)
            name = fit(what, 29 if width >= _ROOMY else 19, self.glyphs.cut)
            return [sign, (f" {name} ", muted if is_done else text), (command, muted if is_done else strong)]

        waits = "They show who spends, and on what." if self.is_billed else "The listener waits for its first request."
        first: Line = [(f"{self._nothing}. ", strong), (waits, text)]
        why: list[Line] = [[(line, palette.bad)] for line in textwrap.wrap(self.why_unrecorded, width)]
        if self.why_unrecorded or self._is_down:
            first = [(f"{self._nothing}.", strong)]
        way_in: Line = [("known once a collector runs", muted)]
        tunnel = "once a collector runs"
        if self.webhook is not None:
            way_in = [(self.webhook, palette.good)]
        if self.collector is not None and self.collector.url is not None:
            tunnel = f"cloudflared tunnel --url {_address(self.collector.url)}"
        demo = [
            [("See it alive at once", palette.title)],
            step("-", "a month of made-up traffic", "spendtop demo"),
        ]
        return [
            first,
            *why,
            *self._amiss(width),
            (),
            *(self._of_agents(self.agents) if self.agents else demo),
            (),
            [("Begin with the provider that you have", palette.title)],
            step("1", "write spendtop.toml", "spendtop init; e opens it", SetupStep.CONFIGURED),
            step("2", "listen", "goes on when you leave: spendtop stop", SetupStep.LISTENING),
            step("3", "make an address reachable", tunnel),
            step("4", "have Anthropic push", "spendtop anthropic connect URL", SetupStep.ANTHROPIC),
            step("4", "or OpenRouter", "spendtop openrouter connect URL", SetupStep.OPENROUTER),
            step("n", "OpenAI, others: your own code", "n: a token, and code that sends"),
            (),
            [("Or with a gateway", palette.title), ("  LiteLLM, OpenTelemetry: n has the lines", muted)],
            step("4", "have Helicone push", "spendtop helicone connect URL"),
            step("5", "try the way in", "T, or spendtop send-test", SetupStep.HEARD),
            (),
            [("And then", palette.title)],
            step("-", "a first limit", "5 limits, then n", SetupStep.LIMITED),
            step("-", "a channel that was tested", "[[channel]], then 6 alerts and T", SetupStep.TOLD),
            (),
            [("   webhook  ", muted), *way_in, *([("   y copies it", muted)] if self.webhook else [])],
            (),
            [
                ("?", key),
                (" keys and help   ", muted),
                (":", key),
                (" commands   ", muted),
                ("Q", key),
                (" leave", muted),
            ],
        ]

    def _of_agents(self, agents: Sequence[AgentFound]) -> list[Line]:
        """Each with what is still to be read of it."""
        palette = self.palette
        lines: list[Line] = [
            [("Coding agents on this machine", palette.title), ("  usage under a plan is no spend", palette.muted)]
        ]
        lines += [self._of_agent(found) for found in agents[:_AGENTS_SHOWN]]
        if more := len(agents[_AGENTS_SHOWN:]):
            lines.append([(f" -  and {more} more: 8 sources", palette.muted)])
        return lines

    def _of_agent(self, found: AgentFound) -> Line:
        palette, words = self.palette, found.reading or "no calls"
        if found.left_out:
            words = f"{words}; some left out"
        return [(" - ", palette.key), (f" {found.agent:<28} ", palette.text), (words, palette.muted)]

    @property
    def _nothing(self) -> str:
        if self.agents:
            return "No spend seen yet"
        return "No requests seen yet" if self.is_billed else "Nothing recorded yet"

    @property
    def _is_down(self) -> bool:
        """Whether the collector cannot record."""
        conditions = () if self.collector is None else self.collector.conditions
        return any(each.status is ConditionStatus.DOWN for each in conditions)

    def _amiss(self, width: int) -> list[Line]:
        """The worst condition of the collector whole, and how many more there are."""
        if self.collector is None or not self.collector.conditions:
            return []
        palette, (worst, *others) = self.palette, self.collector.conditions
        style = palette.bad if worst.status is ConditionStatus.DOWN else palette.warn
        lines: list[Line] = [[(line, style)] for line in textwrap.wrap(f"! {clean_line(worst.sentence)}", width)]
        more = len(others)
        return [*lines, [(f"  and {more} more: 8 sources", palette.muted)]] if more else lines


def _address(url: str) -> str:
    """Host and port by which programs on the machine reach a listener."""
    parts = urlsplit(url)
    return f"localhost:{parts.port}" if parts.hostname in ("0.0.0.0", "::") else parts.netloc
