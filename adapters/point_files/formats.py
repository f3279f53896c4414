"""The formats, and what they have in common."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from domain.metric_point import MAX_TIMESTAMP

COLUMNS = ("name", "timestamp", "value", "tags")


class Format(StrEnum):
    """How points are written."""

    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"

    @classmethod
    def of(cls, path: Path) -> Format | None:
        """Return the format that the ending of a file's name stands for, if it is one."""
        suffix = path.suffix.lower().removeprefix(".")
        suffix = {"ndjson": "jsonl"}.get(suffix, suffix)
        return next((form for form in cls if form == suffix), None)


def as_published(milliseconds: int) -> int:
    """Return the timestamp that a publish reads as this time.

    That is milliseconds, except up to 1973-01-11, where a publish would take them for seconds. In
    those years nothing finer than a second can have been published, so seconds lose nothing.
    """
    return milliseconds if milliseconds > MAX_TIMESTAMP // 1000 else milliseconds // 1000
