"""What numbers and durations stand for."""

from __future__ import annotations

import re

_UNITS = {"y": 365 * 86_400_000, "w": 7 * 86_400_000, "d": 86_400_000, "h": 3_600_000}
_UNITS |= {"m": 60_000, "s": 1000, "ms": 1}
_duration = re.compile("".join(rf"(?:([0-9]+){unit})?" for unit in _UNITS) + r"\Z").match

LONGEST = (1 << 63) // 1_000_000
"""Milliseconds; nanoseconds of longer durations do not fit into 64 bits."""


def number(text: str) -> float:
    """Return a number: decimal, octal with a leading 0, or hexadecimal. Raises ValueError."""
    plain = text.replace("_", "")
    try:
        if plain[:2] in ("0x", "0X"):
            return float(int(plain, 16))
        return float(int(plain, 8)) if re.fullmatch("0[0-7]+", plain) else float(plain)
    except ValueError:
        raise ValueError(f'strconv.ParseFloat: parsing "{text}": invalid syntax') from None


def duration(text: str) -> int:
    """Return a duration in ms, such as 5400000 for `1h30m`. Raises ValueError."""
    found = _duration(text)
    if not text or found is None:
        raise ValueError(f'not a valid duration string: "{text}"')
    parts = zip(found.groups(), _UNITS.values(), strict=True)
    total = sum(int(count) * unit for count, unit in parts if count)
    if total >= LONGEST:
        raise ValueError("duration out of range")
    return total


def duration_text(milliseconds: int) -> str:
    """Return a duration as text; years and weeks only if there is no rest."""
    if not milliseconds:
        return "0s"
    text, rest = "", milliseconds
    for unit, length in _UNITS.items():
        if unit in "yw" and rest % length:
            continue
        count, rest = divmod(rest, length)
        text += f"{count}{unit}" if count else ""
    return text
