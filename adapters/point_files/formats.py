"""The file formats, and what they have in common."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from domain.metric_point import MAX_TIMESTAMP

COLUMNS = ("name", "timestamp", "value", "tags")


class Format(StrEnum):
    """A format of point files."""

    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"

    @classmethod
    def of(cls, path: Path) -> Format | None:
        """Return the format for a file name's extension, None if it is unknown."""
        suffix = path.suffix.lower().removeprefix(".")
        suffix = {"ndjson": "jsonl"}.get(suffix, suffix)
        return next((form for form in cls if form == suffix), None)


def as_published(milliseconds: int) -> int:
    """Return the timestamp that a publish reads as this time.

    It is in milliseconds, except up to 1973-01-11, where a publish would read them as seconds. No
    finer times can have been published in those years, so seconds lose nothing.
    """
    return milliseconds if milliseconds > MAX_TIMESTAMP // 1000 else milliseconds // 1000
