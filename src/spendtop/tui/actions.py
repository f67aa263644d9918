"""Every action that a key can start: keys, footer, help, palette and the README's table are made from these tables.

An action's id is what `[ui] keymap` names. Help and footer show only the actions that work at that moment. A key does
one thing on every screen; where two actions share one, never more than one of them works.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from textual.binding import Binding, BindingType


class Action(Struct, frozen=True):
    """One thing that the user can do."""

    id: str
    keys: str
    """Textual's key names, comma-separated; the first one is shown."""
    call: str
    """The action to run, as Textual writes it."""
    label: str
    help: str
    group: str
    footer: int = 0
    """Rank in the footer: where room is short the largest numbers go first; 0 is never there."""


APP = (
    Action("help", "question_mark,f1", "app.help", "help", "keys that work now, and the filter language", "app", 2),
    Action("command", "colon", "screen.command", "command", "type a command, such as :export or :reprice", "app", 14),
    Action("palette", "ctrl+p", "app.command_palette", "palette", "search all commands", "app"),
    Action("back", "q,escape", "app.back", "back", "go back; at the first screen leave as Q does", "app", 1),
    Action("quit", "Q", "app.leave", "quit", "leave; asks what becomes of the collector", "app"),
    Action("detach", "D", "app.detach", "detach", "leave now; the collector goes on", "app"),
    Action(
        "start-collector",
        "exclamation_mark",
        "app.start_collector",
        "start collector",
        "start a collector where none runs",
        "app",
        1,
    ),
    Action("redraw", "ctrl+r", "app.redraw", "redraw", "paint the whole screen again", "app"),
    Action("suspend", "ctrl+z", "app.suspend_process", "suspend", "back to the shell; fg returns", "app"),
)

LIVE = (
    Action("interrupt", "ctrl+c", "app.interrupt", "twice: quit", "twice: leave as Q does", "app"),
    Action("pause", "p", "app.pause", "pause", "freeze the picture; recording goes on", "time", 7),
    Action("earlier", "left_parenthesis", "screen.shift(-1)", "earlier", "show all as of a window before", "time"),
    Action("later", "right_parenthesis", "screen.shift(1)", "later", "the same later, up to now", "time"),
    Action("refusal", "enter", "screen.read_refusal", "refusal", "why a changed configuration is refused", "open", 1),
)

TIME = Action("time", "t", "screen.time", "time", "choose the window of time", "time", 12)

SIDEWAYS = (
    Action(
        "right",
        "l,right",
        "screen.sideways(1)",
        "right",
        "next pane; in a chart the next step, in a table the next cell",
        "move",
    ),
    Action(
        "left",
        "h,left",
        "screen.sideways(-1)",
        "left",
        "pane before; in a chart the step before, in a table the cell before",
        "move",
    ),
)

OVERVIEW = (
    Action("open", "enter", "screen.open", "open", "what the row or the step of the chart shows", "open", 3),
    Action("next-pane", "tab", "screen.pane(1)", "pane", "next panel", "open", 5),
    Action("previous-pane", "shift+tab", "screen.pane(-1)", "pane before", "panel before", "open"),
    *SIDEWAYS,
    Action("filter", "slash", "screen.filter", "filter", "list and chart what a filter selects", "find", 4),
    TIME,
    Action("chart-cursor", "c", "screen.chart_cursor", "chart", "a cursor in the chart: how much, who", "time", 8),
    Action("measure", "v", "screen.measure", "measure", "chart cost, requests, tokens or errors", "time", 11),
    Action("new-token", "n", "screen.new_token", "new token", "make a tracking token for an application", "act", 6),
    Action("copy-address", "y", "screen.copy_address", "copy address", "copy the webhook's address", "act", 7),
    Action("send-test", "T", "screen.send_test", "test", "send a test request by the webhook", "act", 8),
    Action("edit", "e", "screen.edit", "edit", "open spendtop.toml in $EDITOR", "act", 9),
    Action("zoom-in", "z", "screen.zoom(-1)", "zoom in", "a shorter window of time", "time", 13),
    Action("zoom-out", "Z", "screen.zoom(1)", "zoom out", "a longer window of time, up to a year", "time", 14),
)

MODELS = (
    Action("open", "enter", "screen.open", "open", "the models of a family, or the requests of a model", "open", 3),
    Action("export", "x", "screen.export", "export", "write all that are listed to a file", "act", 9),
)

MOVE = (
    Action("down", "j,down", "screen.move(1)", "down", "next row", "move"),
    Action("up", "k,up", "screen.move(-1)", "up", "row before", "move"),
    Action("top", "g,home", "screen.move_top", "top", "first row", "move"),
    Action("end", "G,end", "screen.move_end", "end, new", "last row; with new rows announced, go to them", "move"),
    Action("half-down", "ctrl+d", "screen.move_page(1)", "half down", "half a page down", "move"),
    Action("half-up", "ctrl+u", "screen.move_page(-1)", "half up", "half a page up", "move"),
    Action("page-down", "pagedown", "screen.move_page(2)", "page down", "a page down", "move"),
    Action("page-up", "pageup", "screen.move_page(-2)", "page up", "a page up", "move"),
)

ORDER = (
    Action("order", "o", "screen.order_menu", "order by", "choose the column to order by", "order", 15),
    Action("order-left", "less_than_sign", "screen.order(-1)", "column before", "order by the column before", "order"),
    Action("order-right", "greater_than_sign", "screen.order(1)", "next column", "order by the next column", "order"),
    Action("invert", "I", "screen.invert", "invert", "turn the order round", "order"),
)

REQUESTS = (
    Action("open", "enter", "screen.open", "open", "prompt, response and all fields", "open", 3),
    TIME,
    Action("layout", "minus", "screen.layout", "layout", "list, split, detail in turn", "open", 13),
    Action("filter", "slash", "screen.filter", "filter", "show only what a filter selects", "find", 4),
    Action("clear-filter", "backspace", "screen.clear_filter", "all again", "drop filter and window of time", "find"),
    Action("follow", "F", "screen.follow", "follow", "keep the newest in view", "time", 6),
    Action("mark", "space", "screen.mark", "mark", "mark for copy and export", "act", 10),
    Action("unmark", "U", "screen.unmark", "unmark all", "forget all marks", "act"),
    Action("diff", "d", "screen.diff", "diff", "what differs between two marked requests", "act", 5),
    Action("copy", "y", "screen.copy", "copy", "copy the request or a part of it", "act", 8),
    Action("export", "x", "screen.export", "export", "write marked rows, or all that are listed, to a file", "act", 9),
    *ORDER,
)

_OF_THE_LIST = ("time", "filter", "clear-filter", "follow", "order", "order-left", "order-right", "invert")

REQUEST_LIST = tuple(action for action in REQUESTS if action.id in _OF_THE_LIST)
"""Those of REQUESTS that need the list on screen."""

DETAIL = (
    Action("next-pane", "tab", "screen.pane(1)", "pane", "next pane: chat, raw bodies, meta", "open", 3),
    Action("previous-pane", "shift+tab", "screen.pane(-1)", "pane before", "pane before", "open"),
    *SIDEWAYS,
    Action("next-request", "J", "screen.neighbour(1)", "next", "next request", "move", 5),
    Action("previous-request", "K", "screen.neighbour(-1)", "previous", "request before", "move"),
    Action("find", "slash", "screen.find", "find", "look for a text in the detail", "find", 4),
    Action("find-next", "n", "screen.find_next(1)", "next match", "find: next match", "find"),
    Action("find-previous", "N", "screen.find_next(-1)", "match before", "find: match before", "find"),
    Action(
        "fetch",
        "f",
        "screen.fetch",
        "fetch bodies",
        "ask Helicone for prompt and response, of the marked requests too",
        "act",
        4,
    ),
    Action("fold", "z", "screen.fold", "fold", "messages as their first lines, or whole", "open", 12),
    Action("wrap", "w", "screen.wrap", "wrap", "wrap long lines or cut them", "open", 13),
)

SOURCES = (
    Action("open", "enter", "screen.open", "events", "the last events of this source; a token's requests", "open", 3),
    Action("new-token", "n", "screen.new_token", "new token", "make a tracking token for an application", "act", 4),
    Action(
        "toggle-token", "d", "screen.toggle_token", "on/off", "switch the tracking token off, or on again", "act", 5
    ),
    Action("snippets", "y", "screen.snippets", "snippets", "ready code that sends under the tracking token", "act", 6),
    Action(
        "delete-token", "X,delete", "screen.delete_token", "delete", "delete the tracking token; asks first", "act", 8
    ),
    Action("send-test", "T", "screen.send_test", "test", "send a test request by the way of this row", "act", 7),
    Action("retry", "R", "screen.retry", "retry", "read events again that were not understood", "act", 9),
    Action("poll", "r", "screen.poll", "poll now", "ask the selected provider at once", "act", 5),
    Action("backfill", "b", "screen.backfill", "back-fill", "read a span of Helicone again, or stop that", "act", 7),
)

SESSIONS = (
    Action("open", "enter", "screen.open", "open", "its paths with their cost, and its requests", "open", 3),
    Action(
        "filter", "slash", "screen.filter", "filter", "only sessions with requests that a filter selects", "find", 4
    ),
    Action("clear-filter", "backspace", "screen.clear_filter", "all again", "drop filter and window of time", "find"),
    TIME,
    Action("follow", "F", "screen.follow", "follow", "keep the active ones on top, or stand still", "time", 6),
    Action("copy", "y", "screen.copy", "copy", "copy the session's id or the table", "act", 8),
    Action("export", "x", "screen.export", "export", "write all sessions that are selected to a file", "act", 9),
    Action("fetch", "f", "screen.fetch", "fetch", "ask Helicone for its requests, prompts and responses", "act", 10),
    *ORDER,
)

SESSION = (
    Action("next-branch", "right_square_bracket", "screen.branch(1)", "path", "requests of the next path", "find", 4),
    Action("previous-branch", "left_square_bracket", "screen.branch(-1)", "path before", "the path before", "find"),
)

COMPARE = Action(
    "compare", "C", "screen.compare", "compare", "against the time before, or the same a week ago", "time", 8
)

BREAKDOWN = (
    Action("open", "enter", "screen.open", "requests", "the requests of the cell, or of the whole row", "open", 3),
    *SIDEWAYS,
    Action("rows", "b", "screen.rows", "rows", "choose what the rows are", "find", 5),
    Action("columns", "c", "screen.columns", "columns", "choose what the columns are", "find", 6),
    Action("measure", "v", "screen.measure", "measure", "choose what is measured", "find", 7),
    TIME,
    COMPARE,
    Action("why", "d", "screen.why", "what changed", "why the cost changed, cause by cause", "find", 4),
    Action("copy", "y", "screen.copy", "copy", "copy the table, or a filter for the cell", "act", 16),
    Action("export", "x", "screen.export", "export", "write all rows and columns to a file", "act", 9),
    *ORDER,
)

ENTITIES = (
    Action("open", "enter", "screen.open", "requests", "list its requests in this window of time", "open", 3),
    TIME,
    COMPARE,
    Action("export", "x", "screen.export", "export", "write all of the list to a file", "act", 9),
    *ORDER,
)

ALERTS = (
    Action("open", "enter", "screen.open", "requests", "list the requests behind the alert", "open", 3),
    Action("layout", "minus", "screen.layout", "layout", "list, split, detail in turn", "open", 13),
    Action("ack", "a", "screen.ack", "ack", "take it on: it speaks again only when it gets worse", "act", 4),
    Action("raise", "plus", "screen.raise_limit", "raise", "raise its limit until an instant", "act", 5),
    Action("snooze", "s", "screen.snooze", "snooze", "keep it silent for a while", "act", 5),
    Action(
        "silence",
        "S",
        "screen.silence",
        "silence",
        "end a silence that is in force, or make one",
        "act",
        6,
    ),
    Action("undo", "u", "screen.undo", "undo", "take back your last ack, snooze or silence that stands", "act", 7),
    Action("retry", "R", "screen.retry", "send again", "send again what no channel took", "act", 9),
    Action("test", "T", "screen.test", "test", "send a test message to every channel", "act", 10),
    Action("copy", "y", "screen.copy", "copy", "copy the alert's id or the table", "act", 11),
    Action("export", "x", "screen.export", "export", "write the alerts that are listed to a file", "act", 12),
    Action(
        "next-part",
        "right_square_bracket",
        "screen.part(1)",
        "open/all",
        "those that are resolved too, or not",
        "find",
        8,
    ),
    Action("previous-part", "left_square_bracket", "screen.part(-1)", "part before", "the part before", "find"),
    *ORDER,
)

LEDGER = (
    Action("open", "enter", "screen.open", "day", "what was billed that day, what we saw, and why", "open", 3),
    Action("next-account", "right_square_bracket", "screen.account(1)", "account", "the next account", "move", 7),
    Action("previous-account", "left_square_bracket", "screen.account(-1)", "account before", "the one before", "move"),
    Action("next-pane", "tab", "screen.pane(1)", "pane", "next pane: days, accounts", "move", 8),
    Action("previous-pane", "shift+tab", "screen.pane(-1)", "pane before", "pane before", "move"),
    *SIDEWAYS,
    Action("calibrate", "c", "screen.calibrate", "calibrate", "enter the balance on the provider's page", "act", 4),
    Action(
        "record", "plus,n", "screen.record", "new entry", "record a deposit, refund, expiry or adjustment", "act", 5
    ),
    Action("undo-entry", "u", "screen.undo", "undo", "append the opposite of the last entry made here", "act", 6),
    Action("poll", "r", "screen.poll", "poll now", "ask the provider at once", "act", 10),
    Action("export", "x", "screen.export", "export", "write the days or the entries to a file", "act", 9),
)

LIMITS = (
    Action(
        "open",
        "enter",
        "screen.open",
        "requests",
        "the requests that count, or the entities that are folded",
        "open",
        3,
    ),
    Action("new-limit", "n", "screen.new_limit", "new limit", "write a limit into spendtop.toml by a form", "act", 8),
    Action("edit", "e", "screen.edit", "edit", "open spendtop.toml at the limit in $EDITOR", "act", 9),
    Action("raise", "plus", "screen.raise_limit", "raise", "raise the limit until an instant", "act", 5),
    Action("backtest", "b", "screen.backtest", "back-test", "on which days the limit would have fired", "act", 7),
    Action("undo-raise", "u", "screen.undo", "undo", "take the last raise back that was made here", "act", 6),
    *ORDER,
)

CHANGING = frozenset(
    (
        *("ack", "raise", "undo-raise", "snooze", "silence", "undo", "retry", "test", "new-limit", "edit"),
        *("calibrate", "record", "undo-entry", "poll", "backfill", "fetch"),
        *("new-token", "toggle-token", "delete-token", "send-test"),
    )
)
"""Actions that change something, which neither the past allows nor a viewer that only reads."""

TABLES = (
    APP,
    LIVE,
    OVERVIEW,
    MODELS,
    MOVE,
    REQUESTS,
    DETAIL,
    SOURCES,
    SESSIONS,
    SESSION,
    BREAKDOWN,
    ALERTS,
    LEDGER,
    LIMITS,
)

AMONG_PANES = ("next-pane", "previous-pane", "right", "left")
"""Ids of what needs several panes."""

GROUPS = ("move", "open", "find", "time", "act", "order", "app")
"""The order of groups in help."""

_NAMES = {
    "question_mark": "?",
    "exclamation_mark": "!",
    "colon": ":",
    "slash": "/",
    "minus": "-",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "left_parenthesis": "(",
    "right_parenthesis": ")",
    "plus": "+",
    "space": "space",
    "escape": "esc",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "shift+tab": "S-tab",
    "backspace": "bksp",
    "down": "↓",
    "up": "↑",
    "left": "←",
    "right": "→",
}


def key_name(key: str) -> str:
    """A key as people write it: `?`, `^p`, `F`."""
    return f"^{key.removeprefix('ctrl+')}" if key.startswith("ctrl+") else _NAMES.get(key, key)


def bindings(*tables: Sequence[Action]) -> list[BindingType]:
    """Textual's bindings for these tables; the footer is our own."""
    return [
        Binding(action.keys, action.call, action.label, show=False, id=action.id, tooltip=action.help)
        for table in tables
        for action in table
    ]
