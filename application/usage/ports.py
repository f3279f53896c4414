"""The port that keeps how organizations use the service. Its docstrings are contracts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from application.publishing.refusals import Reason

MINUTES = 60
"""The minutes before the current one for which points are kept."""

MINUTE_MS = 60_000

OwnToken = tuple[str, str]
"""An organization's name, and the id of a token of it or of one of its teams."""


class PointUsage(Struct, frozen=True):
    """Points of an organization and its teams: how many were stored, and how many refused.

    `refused` counts those that were refused one by one, by protocol and reason.
    """

    accepted: int = 0
    refused: Mapping[tuple[str, Reason], int] = {}


class MinuteUsage(Struct, frozen=True):
    """The points of a minute, which is given in minutes since the epoch."""

    minute: int
    points: PointUsage


class UsageStore(Protocol):
    """Keeps the last uses of tokens, and points by the minute. Not a part of the log.

    Thread-safe; calls block. Each raises LogUnavailable. If a call that writes fails, any part of
    what it should have written may be missing.
    """

    def add_points(self, minute: int, points: Mapping[str, PointUsage]) -> None:
        """Add points, by organization, to those of a minute (since the epoch)."""

    def points(self, organization: str, minute: int) -> Sequence[MinuteUsage]:
        """Return the points of a minute and of the `MINUTES` before it, oldest first.

        Minutes without points are left out.
        """

    def set_token_uses(self, uses: Mapping[OwnToken, int]) -> None:
        """Set when tokens were last used, in milliseconds since the epoch.

        A later use that is known already is kept.
        """

    def token_uses(self, organization: str) -> Mapping[str, int]:
        """Return when the tokens of an organization and its teams were last used, by their ids.

        The times are in milliseconds since the epoch. Tokens without a known use are left out.
        """

    def forget_tokens(self, organization: str, token_ids: Collection[str]) -> None:
        """Forget the uses of some tokens."""

    def forget(self, organization: str) -> None:
        """Forget everything about an organization."""
