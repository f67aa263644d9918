"""Figures as people read them. Unknown is `-` or a word, never 0."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND
from spendtop.domain.cost_words import cost_words, whole_cents, within
from spendtop.domain.counted import counted
from spendtop.domain.percent import percent_of

if TYPE_CHECKING:
    from spendtop.domain.limits.limit import Limit
    from spendtop.domain.money import Usd
    from spendtop.domain.windows import Calendar
    from spendtop.store.reads.limits.uses import LimitUse
    from spendtop.store.reads.rows import Spend

UNKNOWN = "-"
_DATE = re.compile(r"[-@](?:20\d{6}|20\d\d-\d\d-\d\d|\d{4})$")


def count(number: int | None) -> str:
    """A count in at most five characters: `410`, `2.1k`, `118k`, `1.2M`."""
    if number is None:
        return UNKNOWN
    if abs(number) < 1_000:
        return str(number)
    for size, letter in ((1_000, "k"), (1_000_000, "M"), (1_000_000_000, "G")):
        value = number / size
        if abs(value) < 99.95:
            return f"{value:.1f}{letter}"
        if abs(value) < 999.5:
            return f"{value:.0f}{letter}"
    return f"{number / 1e12:.1f}T"


def grouped(number: int | None) -> str:
    """A whole number with thin groups: `1 692`."""
    return UNKNOWN if number is None else f"{number:,}".replace(",", " ")


def requests(number: int) -> str:
    """A number of requests in words: `1 request`, `1 692 requests`."""
    return counted(number, "request", write=grouped)


def failed(number: int) -> str:
    """How many requests failed without any usage: `15 failed`; empty for none."""
    return f"{grouped(number)} failed" if number else ""


def latency(milliseconds: int | None) -> str:
    """Milliseconds in at most five characters: `0.2s`, `14s`, `2m03`."""
    if milliseconds is None:
        return UNKNOWN
    seconds = milliseconds / 1000
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    if seconds < 99.5:
        return f"{seconds:.0f}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02}" if minutes < 100 else f"{minutes // 60}h"


def moment(at: int, now: int, calendar: Calendar) -> str:
    """When something was, to the minute, with its day where that is another one: `14:03`, `11-28 14:03`."""
    is_today = calendar.local(at).date() == calendar.local(now).date()
    return minute(at, calendar) if is_today else day_clock(at, calendar)[:-3]


def dated(at: int, calendar: Calendar) -> str:
    """Local date and time to the minute."""
    return calendar.local(at).strftime("%Y-%m-%d %H:%M")


def span(micros: int) -> str:
    """A length of time: `45s`, `12m`, `3h05`, `6h`, `2d`."""
    if micros < MINUTE:
        return f"{micros // SECOND}s"
    if micros < HOUR:
        return f"{micros // MINUTE}m"
    if micros < DAY:
        minutes = micros % HOUR // MINUTE
        return f"{micros // HOUR}h{minutes:02}" if minutes else f"{micros // HOUR}h"
    return f"{micros // DAY}d"


def percent(part: int, whole: int) -> str:
    """A share in at most five characters, towards zero: `0.4%`, `84%`, `x12`."""
    return _narrow(part, whole, percent_of(part, whole))


def used_percent(use: LimitUse) -> str:
    """Use of a limit, likewise."""
    return _narrow(use.used.nano, use.limit.amount.nano, use.percent)


def _narrow(part: int, whole: int, words: str) -> str:
    times = abs(part) // abs(whole)
    return words if times < 10 else f"x{times}" if times < 1_000 else ">x999"


def spend(spent: Spend, width: int = 99) -> str:
    """Known cost, and how many requests are not in it, in so many cells: `$41.82 +3?`, `3 unpriced`, `3?`."""
    return cost(spent.known_cost, spent.unpriced, width)


def cost(known: Usd | None, unpriced: int, width: int = 99) -> str:
    """The same of any sum; None where no cost is known."""
    if known is None:
        words = f"{count(unpriced)} unpriced"
        return words if len(words) <= width else f"{count(unpriced)}?"
    if not unpriced:
        return within(known, width)
    mark = f"+{count(unpriced)}?"
    return f"{within(known, width - len(mark) - 1)} {mark}"


def equivalent(under_plan: Spend, width: int = 99) -> str:
    """What usage under a plan would have cost: `~$12.40`, `~$12.40 +3?`."""
    return f"~{spend(under_plan, width - 1)}"


def rate(spent: Spend) -> str:
    """Spend of an hour: `$1.20/h`, `$1.20/h +3?`, `3 unpriced/h`."""
    if spent.known_cost is None:
        return f"{spend(spent)}/h"
    return f"{spent.cost}/h" + (f" +{count(spent.unpriced)}?" if spent.unpriced else "")


def share(part: Spend, whole: Spend) -> str:
    """Part of a cost in percent; unknown where one of the two is, and of nothing."""
    if part.known_cost is None or not whole.cost.nano:
        return UNKNOWN
    return percent(part.cost.nano, whole.cost.nano)


def spend_long(spent: Spend) -> str:
    """Known cost in words: `$41.82 + 3 unpriced`."""
    return cost_words(spent.known_cost, spent.unpriced, grouped)


def short_usd(amount: Usd, width: int = 99) -> str:
    """An amount for narrow gauges: no cents on round dollars."""
    return within(amount, width, str(amount).removesuffix(".00"))


def used_of(used: Usd, limit: Limit, width: int) -> str:
    """`$5.01/$1,000` in so many cells, `~$5.01/$1,000` of API-equivalent value; what has more digits loses them
    first."""
    room, amount = width - 1 - len(limit.measure.sign), limit.amount
    of = short_usd(amount, max(room - len(short_usd(used)), room // 2))
    return f"{limit.measure.sign}{short_usd(used, room - len(of))}/{of}"


def cents(amount: Usd, width: int = 99) -> str:
    """An amount of a bill in so many cells."""
    return within(amount, width, whole_cents(amount))


def change(amount: Usd, width: int = 99) -> str:
    """What a bill or balance differs by, with its sign: `+$1.10`, `-$0.42`, `$0.00`."""
    return f"+{cents(amount, width - 1)}" if amount.nano > 0 else cents(amount, width)


def balance(amount: Usd, width: int) -> str:
    """What is left of a balance, never more than there is."""
    return within(amount, width, amount.floored)


def clock(micros: int, calendar: Calendar) -> str:
    """Local time of day with seconds."""
    return calendar.local(micros).strftime("%H:%M:%S")


def minute(micros: int, calendar: Calendar) -> str:
    """Local time of day to the minute."""
    return calendar.local(micros).strftime("%H:%M")


def day_clock(micros: int, calendar: Calendar) -> str:
    """Local month, day and time of day."""
    return calendar.local(micros).strftime("%m-%d %H:%M:%S")


def full_time(micros: int, calendar: Calendar) -> str:
    """Local date and time to the millisecond, with its offset."""
    local = calendar.local(micros)
    return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03} {local:%z}"


def model(name: str, width: int) -> str:
    """A model's name without its date where the whole does not fit."""
    return name if len(name) <= width else _DATE.sub("", name)


def told_apart(names: Sequence[str]) -> list[str]:
    """Each name without a first word that others begin with too: `opus-5-5` and `sonnet-5-5`, both of `claude`."""
    first_words = Counter(name.partition("-")[0] for name in names)
    parts = [name.partition("-") for name in names]
    return [rest if rest and first_words[first] > 1 else first + dash + rest for first, dash, rest in parts]


def size(octets: int | None) -> str:
    """A number of bytes: `512 B`, `1.2 kB`, `4.0 MB`."""
    if octets is None:
        return UNKNOWN
    if octets < 1_000:
        return f"{octets} B"
    return f"{octets / 1_000:.1f} kB" if octets < 1_000_000 else f"{octets / 1_000_000:.1f} MB"
