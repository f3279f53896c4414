"""What those who ask a query should know about its result: warnings, and less important infos."""

from __future__ import annotations

from collections.abc import Sequence

MOST = 10
"""Warnings, and infos, that an answer has at most."""


class Annotations:
    """Collects the annotations of one query, each once."""

    def __init__(self) -> None:
        # Dictionaries keep the order.
        self._warnings: dict[str, None] = {}
        self._infos: dict[str, None] = {}

    def warn(self, text: str) -> None:
        self._warnings[text] = None

    def inform(self, text: str) -> None:
        self._infos[text] = None

    @property
    def warnings(self) -> Sequence[str]:
        """The first warnings, and how many more there are."""
        return _shortened(list(self._warnings), "warning")

    @property
    def infos(self) -> Sequence[str]:
        """The first infos, and how many more there are."""
        return _shortened(list(self._infos), "info")


def _shortened(texts: Sequence[str], kind: str) -> Sequence[str]:
    if len(texts) <= MOST:
        return texts
    return [*texts[:MOST], f"{len(texts) - MOST} more {kind} annotations omitted"]
