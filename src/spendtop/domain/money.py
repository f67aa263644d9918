"""US dollars as an exact integer of nano-USD (1e-9 USD)."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation, Overflow
from typing import Any, Final

NANO_PER_USD = 1_000_000_000
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_WHOLE = Decimal(1)
_MAX_NANO = 2**63 - 1


class Usd:
    """An amount of US dollars.

    Only amounts add to amounts: mixing with floats, plain numbers or another currency is a type error.
    An amount that is not known is `None`, never `Usd(0)`.
    """

    __slots__ = ("nano",)

    def __init__(self, nano: int) -> None:
        self.nano: Final = nano

    @classmethod
    def of(cls, dollars: Decimal | int | str) -> Usd:
        """Dollars as nano-USD, rounded half-even.

        Raises ValueError for what is not a finite number within 64 bits of nano-USD (about ±9.2 billion dollars).
        """
        try:
            value = Decimal(dollars)
            if not value.is_finite():
                raise ValueError("not a finite amount")
            nano = int(_EXACT.quantize(_EXACT.scaleb(value, 9), _WHOLE))
        except (InvalidOperation, Overflow):
            raise ValueError("not an amount of money") from None
        if abs(nano) > _MAX_NANO:
            raise ValueError("amount out of range")
        return cls(nano)

    @staticmethod
    def of_nano(nano: int | None) -> Usd | None:
        """None, an amount that is not known, stays None; so in the two below."""
        return None if nano is None else Usd(nano)

    @staticmethod
    def nano_of(amount: Usd | None) -> int | None:
        return None if amount is None else amount.nano

    @staticmethod
    def float_of(amount: Usd | None) -> float | None:
        """Dollars as a JSON number."""
        return None if amount is None else float(amount.dollars)

    def __eq__(self, other: object) -> bool:
        return self.nano == other.nano if isinstance(other, Usd) else NotImplemented

    def __lt__(self, other: Usd) -> bool:
        return self.nano < other.nano if isinstance(other, Usd) else NotImplemented

    def __le__(self, other: Usd) -> bool:
        return self.nano <= other.nano if isinstance(other, Usd) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.nano)

    def __repr__(self) -> str:
        return f"Usd({self.nano})"

    def __add__(self, other: Usd) -> Usd:
        return Usd(self.nano + other.nano)

    def __sub__(self, other: Usd) -> Usd:
        return Usd(self.nano - other.nano)

    def __neg__(self) -> Usd:
        return Usd(-self.nano)

    def times(self, fraction: Decimal) -> Usd:
        """This amount multiplied by an exact fraction, rounded half-even to nano-USD."""
        return Usd(int(_EXACT.quantize(_EXACT.multiply(Decimal(self.nano), fraction), Decimal(1))))

    def share_of(self, whole: Usd) -> float | None:
        """This amount as a fraction of `whole` for display, or None when `whole` is zero."""
        return self.nano / whole.nano if whole.nano else None

    @property
    def dollars(self) -> Decimal:
        return _EXACT.scaleb(self.nano, -9)

    @property
    def floored(self) -> str:
        """Whole cents for people, never more than there is: what is left of a balance."""
        cents = self.nano // (NANO_PER_USD // 100)
        return f"{'-' if cents < 0 else ''}${abs(cents) // 100:,}.{abs(cents) % 100:02}"

    def __str__(self) -> str:
        """Dollars for people: cents from one dollar on, at least two significant digits below."""
        nano = abs(self.nano)
        places = 2 if nano >= NANO_PER_USD or nano == 0 else 3 if nano >= 100_000_000 else 4 if nano >= 100_000 else 6
        return self._written(places)

    def _written(self, places: int) -> str:
        """Rounded half-even to so many decimals; what is there is never written as nothing."""
        sign = "-" if self.nano < 0 else ""
        value = _EXACT.quantize(_EXACT.scaleb(abs(self.nano), -9), Decimal(1).scaleb(-places))
        if self.nano and not value:
            return f"{sign}<${Decimal(1).scaleb(-places):f}"
        return f"{sign}${value:,.{places}f}"


def side_by_side(*amounts: Usd) -> list[str]:
    """Amounts of one line: each with as many decimals as the one that needs most, cents at least."""
    needed = [len(str(amount).partition(".")[2].rstrip("0")) for amount in amounts]
    return [amount._written(max(2, *needed)) for amount in amounts]


def written_amount(amount: Any) -> dict[str, int]:
    """An amount as JSON has it: what msgspec calls an `enc_hook`."""
    return {"nano": amount.nano}


def read_amount(kind: type[Usd], written: Any) -> Usd:
    """The way back: its `dec_hook`. Raises TypeError for what is no such amount."""
    match written:
        case {"nano": int(nano)}:
            return kind(nano)
    raise TypeError("an amount is an object with its nano-USD")


ZERO = Usd(0)
