"""`spendtop status`: one line from the file that the collector keeps beside the store. Imports next to nothing."""

from __future__ import annotations

import json
import os
import re
import string
import sys
import time
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from spendtop.cli.options import Options, load_readable
from spendtop.config.paths import data_folder, default_database_url, find_file
from spendtop.domain.clock import DAY, SECOND, to_datetime, to_iso
from spendtop.domain.condition import Condition
from spendtop.domain.cost_words import cost_words, equivalent_words, known_cost
from spendtop.domain.errors import ExitCode, UsageError, nearest
from spendtop.domain.ledger.bills import NO_BILL, BilledDay, balance_words
from spendtop.domain.money import Usd
from spendtop.domain.percent import used_percent
from spendtop.domain.sight import Sight, Standing, StandingWord
from spendtop.domain.untrusted import clean_line
from spendtop.services.stores.presence import CollectorState, running_collector

_STALE_SECONDS = 90
"""The collector writes the file at least every 30 s."""
_CODES = {"ok": ExitCode.OK, "approaching": ExitCode.APPROACHING, "exceeded": ExitCode.EXCEEDED}
_STALE = "stale"
_KEYS = frozenset({"at", "today", "hour", "limits"})
_SUFFIX, _HOLDER_SUFFIX = ".status.json", ".collector.json"
_URL = "SPENDTOP_DATABASE__URL"
_OLD_NAMES = "SPENDTOP_OLD_NAMES"
_NAMES_A_STORE = re.compile("DATABASE|DB_FILENAME")
_PLAIN_SQLITE = re.compile(r"sqlite:///([^?]+)")


def run(options: Options) -> int:
    """Print the line and tell by the exit code how the limits stand."""
    path = status_file(options)
    status = _read(path)
    recorder = _Recorder.of(path, status)
    state = max((limit["state"] for limit in status["limits"]), key=list(_CODES).index, default="ok")
    if options.arguments.json:
        text = json.dumps(_answer(status, recorder, state), ensure_ascii=True)
    else:
        words = _words(status, recorder, state)
        text = _filled(options.arguments.line, words) if options.arguments.line else _line(status, recorder, words)
    sys.stdout.write(f"{text}\n")
    return _CODES[state]


class _Recorder(NamedTuple):
    """The collector, by what it says of itself beside the store and whether its process lives."""

    runs: bool
    """Whether its process lives."""
    standing: Standing
    conditions: tuple[Condition, ...]
    age: int
    """Seconds since the figures were written."""

    @classmethod
    def of(cls, path: Path, status: Mapping[str, Any]) -> _Recorder:
        held = running_collector(path.with_name(path.name.removesuffix(_SUFFIX) + _HOLDER_SUFFIX))
        now = int(time.time() * 1e6)
        age = max(0, (now - status["at"]) // SECOND)
        is_overdue = age > _STALE_SECONDS
        sight = Sight(
            asked=True,
            collects=held is not None,
            stopping=held is not None and held.state is CollectorState.STOPPING,
            last_sign=status["at"] if held is None or is_overdue else None,
            conditions=held.conditions if held else (),
            shown_at=now,
        )
        return cls(held is not None, sight.standing(now), sight.conditions, age)

    @property
    def collector(self) -> str:
        return "running" if self.runs else "gone"

    @property
    def is_collecting(self) -> bool:
        """Whether the figures are followed."""
        return self.standing.word is not StandingWord.NOT_RECORDING and self.age <= _STALE_SECONDS

    @property
    def remark(self) -> str:
        """What is amiss, or worth to know, in one clause; empty where all is well."""
        if self.standing.is_amiss:
            since = "" if self.standing.since is None else f" for {_duration(_seconds_since(self.standing.since))}"
            return f"{self.standing.word}{since}: {_clause(self.standing.sentence)}"
        return _clause(self.conditions[0].sentence) if self.conditions else ""


def _seconds_since(at: int) -> int:
    return max(0, int(time.time() - at / 1e6))


def _clause(sentence: str) -> str:
    """The first sentence without its end."""
    return clean_line(sentence).partition(". ")[0].removesuffix(".")


def _read(path: Path) -> dict[str, Any]:
    try:
        status: dict[str, Any] = json.loads(path.read_bytes())
        if not status.keys() >= _KEYS:
            raise ValueError("incomplete")
        return status
    except FileNotFoundError:
        raise UsageError("No collector has run on this store yet. Start `spendtop`.") from None
    except (OSError, ValueError, AttributeError):
        raise UsageError(f"The status file {path} cannot be read. Delete it; the collector writes it anew.") from None


def _words(status: dict[str, Any], recorder: _Recorder, state: str) -> dict[str, str]:
    """What a format can name."""
    worst, bills = _worst(status), status.get("bills")
    name = "" if worst is None else " ".join(filter(None, (worst["name"], worst.get("entity_name", worst["entity"]))))
    return {
        "today": _money(status["today"]) if bills is None else _billed(bills)[0],
        "hour": _money(status["hour"]),
        "plan": _plan(status.get("api_equivalent")),
        "unpriced": str(status["today"]["unpriced"]),
        "failed": str(status["today"].get("failed", 0)),
        "requests": str(status["today"]["requests"]),
        "worst": "" if worst is None else _percent(worst),
        "worst_name": clean_line(name),
        "reaches": _reaches(worst),
        "undelivered": str(status.get("undelivered", 0)),
        "state": state if recorder.is_collecting else _STALE,
        "collector": recorder.collector,
        "standing": recorder.standing.word,
        "remark": recorder.remark,
        "age": _duration(recorder.age),
    }


def _worst(status: dict[str, Any]) -> dict[str, Any] | None:
    """The limit that is used most, as a share of its amount."""
    return max(status["limits"], key=lambda limit: limit["used_nano"] / limit["limit_nano"], default=None)


def _billed(bills: dict[str, Any]) -> tuple[str, str]:
    """What stands in place of the spend of today where bills come and no requests, and how old that is."""
    told = bills["billed"]
    if told is None:
        return NO_BILL, ""
    day, now = BilledDay(told["day"], Usd(told["nano"]), told["at"]), int(time.time() * 1e6)
    return day.words(now), f" {day.age(now)}"


def _balance(account: dict[str, Any]) -> str:
    left, burn = Usd.of_nano(account["balance_nano"]), Usd.of_nano(account["burn_nano"])
    runs_out = None if account["runs_out"] is None else date.fromisoformat(account["runs_out"])
    return balance_words(clean_line(account["name"]), left, burn, runs_out)


def _percent(limit: dict[str, Any]) -> str:
    return used_percent(limit["used_nano"], limit["limit_nano"], limit.get("window", ""))


def _reaches(limit: dict[str, Any] | None) -> str:
    """About when a limit is reached, where that is likelier than not."""
    forecast = limit and limit.get("forecast")
    return (forecast and forecast["words"]) or ""


def _line(status: dict[str, Any], recorder: _Recorder, words: dict[str, str]) -> str:
    parts = [f"{words['today']} today", f"{words['hour']} last hour"]
    if bills := status.get("bills"):
        parts = ["no requests seen", "".join(_billed(bills)), *map(_balance, bills["accounts"])]
    if words["plan"]:
        parts.append(f"{words['plan']} under plans")
    if status["limits"]:
        parts.append(f"{words['worst_name']} {words['worst']}")
        state = max((limit["state"] for limit in status["limits"]), key=list(_CODES).index)
        parts += [state] if state != "ok" else []
        parts += [f"100% {words['reaches']}"] if words["reaches"] else []
    if status.get("undelivered"):
        parts.append(f"{words['undelivered']} messages undelivered: spendtop delivery list")
    parts += [recorder.remark] if recorder.remark else []
    return " · ".join(parts)


def _filled(line: str, words: dict[str, str]) -> str:
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(line) if name is not None]
        for name in names:
            if name not in words:
                raise UsageError(f"--line knows no {{{clean_line(name)}}}{_hint(name, list(words))}")
        return line.format(**words)
    except ValueError:
        raise UsageError("--line has a brace without its partner. Write {{ for a brace itself.") from None


def _hint(name: str, names: list[str]) -> str:
    near = nearest(name, names)
    return f". Did you mean {{{near}}}?" if near else f"; it knows {', '.join(f'{{{each}}}' for each in names)}."


def _money(sums: dict[str, Any]) -> str:
    return cost_words(_known(sums), sums["unpriced"])


def _plan(under_plan: dict[str, Any] | None) -> str:
    """What coding agents used under a plan today; empty where they used nothing."""
    if under_plan is None or not under_plan["requests"]:
        return ""
    return equivalent_words(Usd.of_nano(under_plan["nano"]))


def _known(sums: dict[str, Any]) -> Usd | None:
    return known_cost(Usd(sums["nano"]), sums["requests"], sums["unpriced"])


def _duration(seconds: int) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def _answer(status: dict[str, Any], recorder: _Recorder, state: str) -> dict[str, Any]:
    bills = status.get("bills")
    return {
        "at": status["at"],
        "age_s": recorder.age,
        "collecting": recorder.is_collecting,
        "collector": recorder.collector,
        "standing": recorder.standing.word,
        "conditions": [
            {
                "name": condition.name,
                "status": condition.status,
                "sentence": condition.sentence,
                "since": to_iso(condition.since),
            }
            for condition in recorder.conditions
        ],
        "url": status["url"],
        "state": state,
        **{name: _sums(status[name]) for name in ("today", "hour")},
        "api_equivalent": _equivalent(status.get("api_equivalent", {"requests": 0, "tokens": 0, "nano": 0})),
        "undelivered": status.get("undelivered", 0),
        "billed": _bill(bills["billed"]) if bills and bills["billed"] else None,
        "accounts": [_account(account) for account in bills["accounts"]] if bills else [],
        "limits": [
            {
                "name": limit["name"],
                "entity": limit["entity"],
                "entity_name": limit.get("entity_name", limit["entity"]),
                "measure": limit.get("measure", "spend"),
                "state": limit["state"],
                **_usd("used", Usd(limit["used_nano"])),
                **_usd("limit", Usd(limit["limit_nano"])),
                "unpriced": limit["unpriced"],
                "raised_until": None if limit.get("raised_until") is None else to_iso(limit["raised_until"]),
                "forecast": _forecast(limit.get("forecast")),
            }
            for limit in status["limits"]
        ],
    }


def _equivalent(under_plan: dict[str, Any]) -> dict[str, Any]:
    """What coding agents used under a plan today, which is no spend."""
    usd = Usd.float_of(Usd.of_nano(under_plan["nano"]))
    return {"requests": under_plan["requests"], "tokens": under_plan["tokens"], "usd": usd}


def _forecast(forecast: dict[str, Any] | None) -> dict[str, Any] | None:
    if forecast is None:
        return None
    times = {name: forecast[name] for name in ("reaches_at", "low", "high")}
    return {
        "enough_data": forecast["enough_data"],
        **{name: None if at is None else to_iso(at) for name, at in times.items()},
    }


def _bill(bill: dict[str, Any]) -> dict[str, Any]:
    day = f"{to_datetime(bill['day'] * DAY):%Y-%m-%d}"
    return {"date": day, **_usd("cost", Usd(bill["nano"])), "as_of": to_iso(bill["at"])}


def _account(account: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": account["name"],
        **_usd("balance", Usd.of_nano(account["balance_nano"])),
        **_usd("burn_per_day", Usd.of_nano(account["burn_nano"])),
        "runs_out": account["runs_out"],
    }


def _sums(sums: dict[str, Any]) -> dict[str, Any]:
    counts = {"unpriced": sums["unpriced"], "failed": sums.get("failed", 0), "requests": sums["requests"]}
    return {**_usd("cost", _known(sums)), **counts}


def _usd(name: str, amount: Usd | None) -> dict[str, Any]:
    return {f"{name}_usd": Usd.float_of(amount), f"{name}_nanousd": Usd.nano_of(amount)}


def status_file(options: Options) -> Path:
    """The file of the configured store, found without loading the configuration wherever that is possible.

    It need not exist. Raises ConfigError for a configuration that is wrong.
    """
    return _in_plain_sight(options, os.environ) or _in_settings(options)


def _in_plain_sight(options: Options, environ: Mapping[str, str]) -> Path | None:
    """The file, where the store is a SQLite file that is named in plain sight; else None."""
    folder = Path.cwd()
    if _old_names_may_tell(options.env_file or folder / ".env", environ):
        return None
    file = None if options.no_config else find_file(options.config, folder, environ)
    url = options.database_url or environ.get(_URL) or (_named_in(file) if file else "")
    plain = _PLAIN_SQLITE.fullmatch(default_database_url() if url == "" else url or "")
    if plain is None:
        return None
    database = ((file.parent if file else folder) / Path(plain[1]).expanduser()).resolve()
    beside = database.with_name(database.name + _SUFFIX)
    return beside if beside.exists() else None


def _old_names_may_tell(env_file: Path, environ: Mapping[str, str]) -> bool:
    """Whether a variable of the older systems, or a `.env` of theirs, might name the store."""
    try:
        text = env_file.read_text(errors="replace")
    except OSError:
        text = ""
    switched_on = environ.get(_OLD_NAMES) and any(_NAMES_A_STORE.search(name) for name in environ)
    return bool(switched_on or _NAMES_A_STORE.search(text))


def _named_in(file: Path) -> str | None:
    """The store's URL in the file, empty for the default; None where only the configuration itself can tell."""
    import tomllib

    try:
        url = tomllib.loads(file.read_text(encoding="utf-8-sig")).get("database", {}).get("url", "")
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    return url if isinstance(url, str) else None


def _in_settings(options: Options) -> Path:
    from spendtop.collector.process.store_lock import places
    from spendtop.store.engine import Store
    from spendtop.store.files import locate

    url, _ = locate(load_readable(options).settings.database.url.get_secret_value())
    return places(Store(url), data_folder()).status
