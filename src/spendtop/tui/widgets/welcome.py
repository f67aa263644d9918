"""What a store without requests shows: the next step."""

from __future__ import annotations

from spendtop.tui.widgets.canvas import Line, Panel, Piece, length


class Welcome(Panel):
    """How the first request gets here."""

    def __init__(self) -> None:
        super().__init__(id="welcome")
        self.webhook: str | None = None
        self.recording = False

    @property
    def title_line(self) -> Line:
        """The title."""
        return [("Welcome to spendtop", self.palette.title)]

    def content(self, width: int, height: int) -> list[Line]:
        """Centred, as much of it as fits."""
        lines = self._words(wide=width >= 74)
        if len(lines) > height:
            lines = [line for line in lines if line]
        block = max((length(line) for line in lines), default=0)
        margin: Piece = (" " * max((width - block) // 2, 0), self.palette.text)
        above = max((height - len(lines)) // 2, 0)
        return [*([()] * above), *([margin, *line] for line in lines)]

    def _words(self, wide: bool) -> list[Line]:
        palette = self.palette
        text, muted, key, strong = palette.text, palette.muted, palette.key, palette.strong

        def step(number: str, what: str, command: str, why: str) -> list[Line]:
            line: list[Piece] = [(f" {number}  ", key), (f"{what:<29}", text), (command, strong)]
            return [[*line, (f"   {why}", muted)]] if wide and why else [line]

        first: Line = (
            [("Nothing recorded yet. ", strong), ("The listener waits for its first request.", text)]
            if self.recording
            else [("Nothing recorded yet, and ", strong), ("no collector runs: start `spendtop --no-ui`.", palette.bad)]
        )
        address = self.webhook or "http://127.0.0.1:8000/webhook"
        return [
            first,
            (),
            [("See it alive at once", palette.title)],
            *step("1", "a month of made-up traffic", "spendtop demo", ""),
            *step("2", "signed test webhooks here", "spendtop send-test", ""),
            (),
            [("Connect Helicone", palette.title)],
            *step("3", "write spendtop.toml", "spendtop init", ""),
            *step("4", "make an address reachable", "spendtop --tunnel ngrok", ""),
            *step("5", "create the webhook", "spendtop helicone connect URL", ""),
            (),
            [("   webhook  ", muted), (address, palette.good)],
            [("   or in Helicone: Settings, Webhooks; its signing key goes into [helicone] webhook_secrets", muted)]
            if wide
            else [("   its signing key goes into [helicone] webhook_secrets", muted)],
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
