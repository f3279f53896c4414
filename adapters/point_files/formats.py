"""The formats, and what they have in common."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from domain.metric_point import LATEST_SECONDS

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
    """Return the timestamp that a publish takes for this time.

    Milliseconds; up to LATEST_SECONDS (1973-01-11) these would be read as seconds, so it is whole
    seconds there. That loses nothing: nothing finer can have been published of those years.
    """
    return milliseconds if milliseconds > LATEST_SECONDS else milliseconds // 1000
