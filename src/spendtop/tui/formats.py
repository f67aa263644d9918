"""Figures as people read them. Unknown is `-` or a word, never 0."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND

if TYPE_CHECKING:
    from spendtop.domain.money import Usd
    from spendtop.domain.windows import Calendar
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
    return f"{grouped(number)} request{'s' * (number != 1)}"


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


def age(micros: int) -> str:
    """How long ago, coarse on purpose so that an idle screen stays still: `now`, `20s`, `3m`, `2h`, `4d`."""
    if micros < 5 * SECOND:
        return "now"
    if micros < MINUTE:
        return f"{micros // (10 * SECOND) * 10 or 5}s"
    if micros < HOUR:
        return f"{micros // MINUTE}m"
    if micros < DAY:
        return f"{micros // HOUR}h"
    return f"{micros // DAY}d"


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


def percent(fraction: float) -> str:
    """A share in at most five characters: `0.4%`, `84%`, `x12`."""
    value = fraction * 100
    if value >= 1_000:
        return f"x{fraction:,.0f}".replace(",", " ") if fraction < 1_000 else ">x999"
    return f"{value:.1f}%" if 0 < value < 0.95 else f"{value:.0f}%"


def spend(spent: Spend) -> str:
    """Known cost, and how many requests are not in it: `$41.82 +3?`."""
    return f"{spent.cost} +{count(spent.unpriced)}?" if spent.unpriced else str(spent.cost)


def spend_long(spent: Spend) -> str:
    """Known cost in words: `$41.82 + 3 unpriced`."""
    return f"{spent.cost} + {grouped(spent.unpriced)} unpriced" if spent.unpriced else str(spent.cost)


def short_usd(amount: Usd) -> str:
    """An amount for narrow gauges: no cents on round dollars."""
    text = str(amount)
    return text.removesuffix(".00")


def cents(amount: Usd) -> str:
    """An amount of a bill: whole cents; more digits only where there would be none."""
    if not 5_000_000 <= abs(amount.nano) < 1_000_000_000:
        return str(amount)
    return f"{'-' if amount.nano < 0 else ''}${abs(amount.dollars):.2f}"


def change(amount: Usd) -> str:
    """What a bill or balance differs by, with its sign: `+$1.10`, `-$0.42`, `$0.00`."""
    return f"+{cents(amount)}" if amount.nano > 0 else cents(amount)


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


def trend(change: float) -> str:
    """A signed change in words that stay short: `18%`, `x27`."""
    return percent(abs(change)) if change < 4 else f"x{change + 1:.0f}" if change < 98 else ">x99"


def model(name: str, width: int) -> str:
    """A model's name without its date where the whole does not fit."""
    return name if len(name) <= width else _DATE.sub("", name)


def size(octets: int) -> str:
    """A number of bytes: `512 B`, `1.2 kB`, `4.0 MB`."""
    if octets < 1_000:
        return f"{octets} B"
    return f"{octets / 1_000:.1f} kB" if octets < 1_000_000 else f"{octets / 1_000_000:.1f} MB"
