"""The README's tables as the program has them. `python -m tests.readme` writes them into README.md."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from pkgutil import walk_packages

from pydantic.fields import FieldInfo

from spendtop import tui
from spendtop.cli.commands import COMMANDS, HEADLESS
from spendtop.cli.commands import SCREENS as VIEW
from spendtop.config.settings import settings_class
from spendtop.config.shape import fields_by_key, is_section, item_type, meanings, type_at
from spendtop.config.toml import value_text
from spendtop.config.types import Section, as_written
from spendtop.domain.filters.filters import FIELDS
from spendtop.domain.sources.records import AgentSource, ImportedSource, ProviderPush, PushedSource, Source, by_trust
from spendtop.sources.settings import SECTIONS
from spendtop.tui.actions import APP, GROUPS, LIVE, key_name
from spendtop.tui.screens import SCREENS, screen_class
from spendtop.tui.screens.live_screen import LiveScreen

README = Path(__file__).parent.parent / "README.md"


def screens() -> dict[str, type[LiveScreen]]:
    """Every screen by its title: those with a tab, each before the ones that open from it."""
    for module in walk_packages(tui.__path__, f"{tui.__name__}."):
        import_module(module.name)
    titled: dict[str, type[LiveScreen]] = {}
    for name, entry in SCREENS.items():
        classes = [kind for kind in _subclasses(LiveScreen) if name == kind.NAME and "ACTIONS" in vars(kind)]
        for kind in sorted(classes, key=lambda kind: kind is not screen_class(name)):
            words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.__name__.removesuffix("Screen")).capitalize()
            titled[words if entry.title in titled else entry.title] = kind
    return titled


def _subclasses(kind: type[LiveScreen]) -> Iterator[type[LiveScreen]]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


def keys() -> str:
    """Every key with what it does, and on which screens."""
    lines = ["| key | does | where |", "|---|---|---|"]
    lines += [f"| `{entry.key}` | {entry.title}: {entry.help} | everywhere |" for entry in SCREENS.values()]
    kinds = screens()
    rows: dict[tuple[str, str, str], list[str]] = {}
    for title, kind in kinds.items():
        for action in (*kind.ACTIONS, *APP):
            rows.setdefault((action.group, action.keys, action.help), []).append(title)
    first_places = list(dict.fromkeys(keys for _, keys, _ in rows))
    in_order = sorted(rows, key=lambda row: (GROUPS.index(row[0]), first_places.index(row[1])))
    for row in in_order:
        keys, help, titles = row[1], row[2], rows[row]
        names = " ".join(f"`{key_name(key)}`" for key in keys.split(","))
        place = "everywhere" if len(titles) == len(kinds) else ", ".join(titles)
        lines.append(f"| {names} | {_cell(help)} | {place} |")
    return "\n".join(lines)


def screen_keys() -> str:
    """What each screen adds to the keys that work everywhere, the most used first."""
    kinds = screens()
    everywhere = set.intersection(*({action.id for action in kind.ACTIONS} for kind in kinds.values()))
    lines = ["| screen | its keys |", "|---|---|"]
    for title, kind in kinds.items():
        own = [action for action in kind.ACTIONS if action.id not in everywhere - {"open"} and action not in LIVE]
        own.sort(key=lambda action: (action.footer == 0, action.footer))
        words = (f"`{key_name(action.keys.partition(',')[0])}` {_cell(action.label)}" for action in own)
        lines.append(f"| {title} | {' · '.join(dict.fromkeys(words))} |")
    return "\n".join(lines)


def filters() -> str:
    """Every field of the filter language."""
    rows = [
        f"| `{_cell(field.example)}` | `{_cell(field.long_example)}` | {_cell(field.help)} |"
        for field in FIELDS.values()
    ]
    return "\n".join(["| short | long | |", "|---|---|---|", *rows])


def sources() -> str:
    """Every source of requests, the most trusted first."""
    lines = ["| source | comes in | switched on by | why it is trusted so far |", "|---|---|---|---|"]
    for source in by_trust():
        lines.append(f"| {source.name} | {_way_in(source)} | `{source.setting}` | {_cell(source.trusted_because)} |")
    return "\n".join(lines)


def _way_in(source: Source) -> str:
    if isinstance(source, PushedSource):
        return f"{' '.join(f'`{path}`' for path in source.paths)}, with {source.key.value}"
    if isinstance(source, ProviderPush):
        return f"`{source.path}`, with ingest key; told by who wrote it"
    if isinstance(source, ImportedSource):
        return "imported"
    return "read from its files" if isinstance(source, AgentSource) else "asked"


def commands() -> str:
    """Every command with its example."""
    rows = [("spendtop", VIEW), ("spendtop --no-ui", HEADLESS)]
    rows += [(f"spendtop {name}", command) for name, command in COMMANDS.items()]
    lines = [f"| `{name}` | {_cell(command.help)} | `{_cell(command.example)}` |" for name, command in rows]
    return "\n".join(["| command | does | example |", "|---|---|---|", *lines])


def configuration() -> str:
    """Every key of the configuration."""
    model = settings_class(SECTIONS)
    lines = ["| key | default | meaning |", "|---|---|---|"]
    for name in fields_by_key(model):
        kind = type_at(model, (name,))
        if is_section(kind):
            lines += _rows(f"[{name}]", kind)
        else:
            lines += _rows(f'[{name}."MODEL"]' if name == "prices" else f"[[{name}]]", item_type(kind))
    return "\n".join(lines)


def _rows(table: str, kind: type[Section]) -> Iterator[str]:
    described = ((key, _default(info), _cell(meanings(kind)[key])) for key, info in fields_by_key(kind).items())
    for (default, meaning), rows in groupby(described, key=itemgetter(1, 2)):
        keys = [key for key, *_ in rows]
        yield f"| {' '.join(f'`{key}`' for key in (f'{table} {keys[0]}', *keys[1:]))} | {default} | {meaning} |"


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    if info.default_factory is not None or info.default is None or isinstance(info.default, Section):
        return ""
    plain = _plain(as_written(info.default, info.metadata))
    return "" if plain in ('""', "[]", "{}") else f"`{plain}`"


def _plain(value: object) -> str:
    secret = getattr(value, "get_secret_value", None)
    return value_text(secret() if secret else list(value) if isinstance(value, tuple) else value)


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


BLOCKS: Mapping[str, Callable[[], str]] = {
    "screen keys": screen_keys,
    "keys": keys,
    "filters": filters,
    "sources": sources,
    "commands": commands,
    "configuration": configuration,
}


def with_current_blocks(text: str) -> str:
    """The README's text with every generated table as it is now."""
    for name, make in BLOCKS.items():
        start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, _, rest = text.partition(start)
        text = f"{before}{start}{make()}\n{end}{rest.partition(end)[2]}"
    return text


if __name__ == "__main__":
    README.write_text(with_current_blocks(README.read_text()))
