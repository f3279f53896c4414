"""The parameters of Prometheus' HTTP API, from the URL and from a form."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

from application.reading.promql_errors import BadData

MAX_TIME = 253_402_300_799_999
"""The end of the year 9999, in ms; a time beyond it counts as this."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

LONGEST = 9_223_372_036.0
"""Seconds; nanoseconds of longer durations do not fit into 64 bits."""

_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_UNITS |= {"d": 86_400_000, "w": 7 * 86_400_000, "y": 365 * 86_400_000}
_duration = re.compile(
    r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?\Z", re.ASCII
).match
_date_and_time = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII
).fullmatch
_DURATION_UNITS = ("y", "w", "d", "h", "m", "s", "ms")


class Parameters:
    """Parameters by name; those of a form come before those of the URL."""

    def __init__(self, values: Mapping[str, Sequence[str]]) -> None:
        self._values = values

    @classmethod
    def of(cls, query_string: bytes, form: bytes = b"") -> Parameters:
        """Read the parameters. Raises BadData if they are not UTF-8."""
        values: dict[str, list[str]] = {}
        for part in (form, query_string):
            try:
                found = parse_qs(part.decode("utf-8"), keep_blank_values=True, errors="strict")
            except ValueError as error:
                raise BadData(f"the parameters cannot be read: {error}") from None
            for name, texts in found.items():
                values.setdefault(name, []).extend(texts)
        return cls(values)

    def all(self, name: str) -> Sequence[str]:
        return self._values.get(name, ())

    def text(self, name: str) -> str:
        """Return a parameter's first value, empty if there is none."""
        found = self._values.get(name)
        return found[0] if found else ""

    def time(self, name: str, otherwise: int | None = None) -> int:
        """Return a time in ms: seconds since the epoch with decimals, rounded, or RFC 3339, cut.

        Raises BadData, also if it is missing and there is no `otherwise`.
        """
        text = self.text(name)
        if not text and otherwise is not None:
            return otherwise
        seconds = _number(text)
        if seconds is not None:
            return round(max(-MAX_TIME, min(MAX_TIME, seconds * 1000)))
        try:
            if _date_and_time(text):
                return (datetime.fromisoformat(text) - EPOCH) // timedelta(milliseconds=1)
        except ValueError:
            pass
        detail = f'cannot parse "{text}" to a valid timestamp'
        optional = "" if otherwise is None else f"Invalid time value for '{name}': "
        raise _invalid(name, optional + detail)

    def duration(self, name: str, otherwise: int | None = None) -> int:
        """Return a duration in ms: seconds with decimals, or text such as `1h30m`.

        Raises BadData, also if it is missing and there is no `otherwise`.
        """
        text = self.text(name)
        if not text and otherwise is not None:
            return otherwise
        seconds = _number(text)
        if seconds is not None:
            if abs(seconds) > LONGEST:
                raise _invalid(
                    name, f'cannot parse "{text}" to a valid duration. It overflows int64'
                )
            return int(seconds * 1000)
        found = _duration(text)
        if not text or found is None:
            raise _invalid(name, f'cannot parse "{text}" to a valid duration')
        parts = zip(found.groups(), _DURATION_UNITS, strict=True)
        return sum(int(number) * _UNITS[unit] for number, unit in parts if number)

    def limit(self) -> int | None:
        """Return the parameter `limit`, None for no limit. Raises BadData."""
        text = self.text("limit")
        if not text:
            return None
        if not re.fullmatch("[-+]?[0-9]+", text, re.ASCII):
            raise _invalid("limit", f'strconv.Atoi: parsing "{text}": invalid syntax')
        if text.startswith("-") and text.strip("-0"):
            raise _invalid("limit", "limit must be non-negative")
        return int(text.lstrip("+-0")[:12] or 0) or None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and text == text.strip() else None


def _invalid(name: str, detail: str) -> BadData:
    return BadData(f'invalid parameter "{name}": {detail}')
