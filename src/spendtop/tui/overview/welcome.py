"""What a store without requests shows: the next step."""

from __future__ import annotations

from urllib.parse import urlsplit

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
        lines = self._words()
        if len(lines) > height:
            lines = [line for line in lines if line]
        block = max((length(line) for line in lines), default=0)
        margin: Piece = (" " * max((width - block) // 2, 0), self.palette.text)
        above = max((height - len(lines)) // 2, 0)
        return [*([()] * above), *([margin, *line] for line in lines)]

    def _words(self) -> list[Line]:
        palette = self.palette
        text, muted, key, strong = palette.text, palette.muted, palette.key, palette.strong

        def step(number: str, what: str, command: str) -> Line:
            return [(f" {number}  ", key), (f"{what:<28} ", text), (command, strong)]

        first: Line = (
            [("Nothing recorded yet. ", strong), ("The listener waits for its first request.", text)]
            if self.recording
            else [("Nothing recorded yet, and ", strong), ("no collector runs: start `spendtop --no-ui`.", palette.bad)]
        )
        address = self.webhook or "http://127.0.0.1:8000/webhook"
        port = urlsplit(address).port or 8000
        return [
            first,
            (),
            [("See it alive at once", palette.title)],
            step("-", "a month of made-up traffic", "spendtop demo"),
            (),
            [("Connect Helicone", palette.title)],
            step("1", "write spendtop.toml", "spendtop init"),
            step("2", "make an address reachable", f"cloudflared tunnel --url localhost:{port}"),
            step("3", "add the webhook", "in Helicone: Settings, Webhooks"),
            step("4", "try the way in", "spendtop send-test"),
            (),
            [("   webhook  ", muted), (address, palette.good)],
            [("   its signing secret goes into webhook_secrets under [helicone]", muted)],
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
