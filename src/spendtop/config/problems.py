"""What is wrong with a configuration, and what works but deserves a warning: in sentences that never hold a secret."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, get_args

from msgspec import Struct
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from spendtop.config.account_settings import AccountSettings
from spendtop.config.layers import NAMED_LISTS, Layer
from spendtop.config.settings import LimitSettings, Settings
from spendtop.config.shape import fields_by_key, is_section, keys_at, type_at
from spendtop.config.toml import KeyPath, key_text, quoted
from spendtop.config.types import Section, duration_text, kind_of
from spendtop.config.violations import violation
from spendtop.domain.clock import MINUTE
from spendtop.domain.errors import ConfigError, SpendtopError, nearest

MOST_SHOWN = 20
SHORTEST_KEY = 16
"""Characters below which a key can be guessed."""
_NOTIFYING = ("limit", "account")


class ConfigProblem(Struct, frozen=True):
    """One thing that is wrong, and where."""

    path: KeyPath
    text: str


def problems_of(error: ValidationError, model: type[Section], layer: Layer) -> list[ConfigProblem]:
    """Every finding of a validation as a sentence."""
    details = error.errors(include_url=False, include_input=False)
    return [ConfigProblem(detail["loc"], _sentence(detail, model, layer)) for detail in details]


def broken_rules(values: Mapping[str, Any]) -> Iterator[ConfigProblem]:
    """What one value alone cannot show: names that are given twice, and channels that nothing bears.

    Looks at the values before they are checked, so that these are told together with everything else that is wrong.
    """
    for section in NAMED_LISTS:
        yield from _duplicates(section, _items(values, section))
    channels = [name for _, item in _items(values, "channel") if isinstance(name := item.get("name"), str)]
    for section in _NOTIFYING:
        for index, item in _items(values, section):
            yield from _unknown_channels((section, index), item.get("notify"), channels)
    for name in ("anomaly", "loop"):
        if isinstance(watched := values.get(name), dict):
            yield from _unknown_channels((name,), watched.get("notify"), channels)
    yield from _bad_fallbacks(values, channels)


def config_errors(problems: Iterable[ConfigProblem], layer: Layer) -> list[ConfigError]:
    """All problems, in the order of the files' lines."""
    lines = sorted((_place(problem, layer), _line(problem, layer)) for problem in problems)
    return [ConfigError(line) for _, line in lines]


def in_one(failures: Sequence[SpendtopError]) -> SpendtopError:
    """Several failures as one, a line each, at most twenty."""
    if len(failures) == 1:
        return failures[0]
    lines = [str(failure) for failure in failures]
    if len(lines) > MOST_SHOWN:
        lines[MOST_SHOWN:] = [f"... and {len(lines) - MOST_SHOWN} more; `spendtop check` shows all"]
    return ConfigError("\n".join(lines))


def suggestion(name: str, valid: Iterable[str]) -> str:
    """The nearest valid name as a question, else the valid ones; empty when there are none."""
    names = list(valid)
    near = nearest(name, names)
    if near:
        return f"; did you mean {quoted(near)}?"
    others = f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
    return f"; valid here: {', '.join(map(key_text, names[:MOST_SHOWN]))}{others}" if names else ""


def _place(problem: ConfigProblem, layer: Layer) -> tuple[str, int]:
    origin = layer.origin(problem.path)
    return (origin.place, origin.line) if origin else ("", 0)


def _line(problem: ConfigProblem, layer: Layer) -> str:
    origin = layer.origin(problem.path)
    return ": ".join(part for part in (str(origin or ""), _where(problem.path), problem.text) if part)


def _where(path: KeyPath) -> str:
    """`[limit] warn[1]`: the section, then the key within it; which item of a list the line tells."""
    section, *rest = path
    if section in NAMED_LISTS and rest and isinstance(rest[0], int):
        rest = rest[1:]
    text = ""
    for key in rest:
        text += f"[{key}]" if isinstance(key, int) else f".{key_text(key)}" if text else key_text(key)
    return f"[{key_text(section)}] {text}".rstrip()


def _sentence(detail: ErrorDetails, model: type[Section], layer: Layer) -> str:
    path, kind, context = detail["loc"], detail["type"], detail.get("ctx", {})
    value = layer.value(path)
    if kind == "extra_forbidden":
        return _unknown(path, value, model)
    if kind in ("literal_error", "enum"):
        return _not_one_of(value, model, path)
    if kind == "tuple_type" and isinstance(value, dict) and is_section(get_args(type_at(model, path))[0]):
        return f"must be a list of tables; write [[{path[0]}]] instead of [{path[0]}]"
    if isinstance(value, list) and path == ("limits",):
        return "must be a table, not a list; did you mean [[limit]]?"
    words = violation(kind, context, detail["msg"])
    return f"{words}, not {kind_of(value)}" if kind.endswith("_type") else words


def _unknown(path: KeyPath, value: object, model: type[Section]) -> str:
    name = str(path[-1])
    if len(path) > 1:
        return f"unknown key, holds {kind_of(value)}{suggestion(name, keys_at(model, path[:-1]))}"
    if isinstance(value, dict | list):
        return f"unknown section{suggestion(name, keys_at(model, ()))}"
    owners = [section for section, info in fields_by_key(model).items() if name in _keys(info.annotation)]
    hint = f"; did you mean {name} in [{owners[0]}]?" if owners else suggestion(name, keys_at(model, ()))
    return f"unknown key outside of any section, holds {kind_of(value)}{hint}"


def _keys(place: Any) -> Iterable[str]:
    return fields_by_key(place) if is_section(place) else ()


def _not_one_of(value: object, model: type[Section], path: KeyPath) -> str:
    place = type_at(model, path)
    valid = list(get_args(place) or place)
    choices = ", ".join(str(choice) if isinstance(choice, int) else f'"{choice}"' for choice in valid)
    if type(value) is not (int if isinstance(valid[0], int) else str):
        return f"must be one of {choices}, not {kind_of(value)}"
    near = nearest(value, map(str, valid)) if isinstance(value, str) else ""
    return f"must be one of {choices}" + (f"; did you mean {quoted(near)}?" if near else "")


def _items(values: Mapping[str, Any], section: str) -> list[tuple[int, dict[str, Any]]]:
    items = values.get(section)
    return [(i, item) for i, item in enumerate(items) if isinstance(item, dict)] if isinstance(items, list) else []


def _duplicates(section: str, items: list[tuple[int, dict[str, Any]]]) -> Iterator[ConfigProblem]:
    seen: set[str] = set()
    for index, item in items:
        name = item.get("name")
        if isinstance(name, str) and name.strip() in seen:
            yield ConfigProblem(
                (section, index, "name"), f"there is another {section} {quoted(name.strip())}; names must differ"
            )
        elif isinstance(name, str):
            seen.add(name.strip())


def _unknown_channels(notifying: KeyPath, notify: object, channels: list[str]) -> Iterator[ConfigProblem]:
    if not isinstance(notify, list):
        return
    for position, name in enumerate(notify):
        if isinstance(name, str) and name not in channels:
            hint = suggestion(name, channels) or "; there is no [[channel]]"
            yield ConfigProblem((*notifying, "notify", position), f"unknown channel {quoted(name)}{hint}")


def _bad_fallbacks(values: Mapping[str, Any], channels: list[str]) -> Iterator[ConfigProblem]:
    """Fallbacks that are no channel, and those that would have to stand in for themselves."""
    alerts = values.get("alerts")
    found: list[tuple[KeyPath, object, object]] = []
    if isinstance(alerts, dict) and alerts.get("fallback"):
        found.append((("alerts", "fallback"), alerts["fallback"], None))
    for index, item in _items(values, "limit"):
        found.append((("limit", index, "fallback"), item.get("fallback"), item.get("notify")))
    for path, name, notify in found:
        if not isinstance(name, str):
            continue
        told = notify if isinstance(notify, list) else channels
        if name not in channels:
            hint = suggestion(name, channels) or "; there is no [[channel]]"
            yield ConfigProblem(path, f"unknown channel {quoted(name)}{hint}")
        elif told == [name]:
            yield ConfigProblem(path, f"{quoted(name)} is the only channel that is told; name another one")


def advice(settings: Settings) -> Iterator[str]:
    """One sentence for each doubtful setting."""
    yield from _listener(settings)
    yield from _frequent_polls(settings)
    yield from _silent_limits(settings)


def _listener(settings: Settings) -> Iterator[str]:
    server = settings.server
    if not server.is_local and not server.api_key:
        yield (
            f"server.host {server.host} is open to other machines without server.api_key: "
            "they reach only signed and keyed routes and health"
        )
    if server.public_url and not server.api_key:
        yield (
            "server.public_url is set without server.api_key: the admin API is closed to everybody, as a proxy's or"
            " tunnel's visitors can look like programs on this machine; set server.api_key"
        )
    keys = {"server.api_key": server.api_key} | {
        f"server.ingest_keys.{n}": key for n, key in server.ingest_keys.items()
    }
    for name, key in keys.items():
        if 0 < len(key) < SHORTEST_KEY:
            yield f"{name} is short; use at least {SHORTEST_KEY} characters"


def _frequent_polls(settings: Settings) -> Iterator[str]:
    named: list[tuple[str, Section]] = [(name, value) for name, value in settings if isinstance(value, Section)]
    named += [(f'account "{account.name}"', account) for account in settings.declared_accounts]
    for name, section in named:
        interval = getattr(section, "poll_every", None)
        if interval is not None and interval < MINUTE:
            yield f"{name} poll_every {duration_text(interval)} is below 1m: the provider may answer 429"


def _silent_limits(settings: Settings) -> Iterator[str]:
    notifying: tuple[LimitSettings | AccountSettings, ...] = (*settings.limits, *settings.accounts)
    if settings.limits and not settings.channels:
        yield "limits are shown on screen only: there is no [[channel]]"
    fallbacks = {settings.alerts.fallback, *(limit.fallback for limit in settings.limits)}
    for channel in settings.channels:
        if channel.name in fallbacks or channel.name in settings.anomaly.notify:
            continue
        if notifying and not any(one.notify is None or channel.name in one.notify for one in notifying):
            yield f'channel "{channel.name}" is named by no limit and no account: it stays silent'
