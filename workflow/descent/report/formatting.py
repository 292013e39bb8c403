"""Numbers as the prose and the tables show them."""

from __future__ import annotations

import math

MISSING = "–"


def num(value: float | None, digits: int = 3) -> str:
    """`value` with so many significant digits, for prose: `0.0123`, `12,300`, `$1.23 \\times 10^{-5}$`.

    Zeros at the end of the digits after the point are left out; powers of ten are used below 1e-3 and from 1e5 on.
    None gives a dash; raises TypeError on text and truth values, ValueError on what is not finite.
    """
    if value is None:
        return MISSING
    text = num_math(value, digits)
    return f"${text}$" if "\\" in text or text.startswith("-") else text.replace("{,}", ",")


def num_math(value: float, digits: int = 3) -> str:
    """`num` for use inside a formula: the same digits, without the dollar signs."""
    number = _finite(value)
    if number == 0:
        return "0"
    mantissa, exponent = f"{number:.{digits - 1}e}".split("e")
    power = int(exponent)
    if -3 <= power < 5:
        decimal = f"{float(f'{mantissa}e{power}'):,.{max(digits - 1 - power, 0)}f}"
        return _short(decimal).replace(",", "{,}")
    return f"{_short(mantissa)} \\times 10^{{{power}}}"


def _short(digits: str) -> str:
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def pct(value: float | None, digits: int = 1) -> str:
    """A fraction as a percentage with so many digits after the point: `0.123` gives `12.3%`."""
    return MISSING if value is None else f"{100 * _finite(value):.{digits}f}%".replace("-", "−")


def integer(value: float | None) -> str:
    """A whole number with thousands separated by commas; raises ValueError on a fractional part."""
    if value is None:
        return MISSING
    number = _finite(value)
    if number != round(number):
        raise ValueError(f"{value!r} is not a whole number")
    return f"{round(number):,}".replace("-", "−")


def _finite(value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{value} is not a number")
    if not math.isfinite(value):
        raise ValueError(f"{value!r} is not finite")
    return value
