"""The port that counts organizations' active series. Its docstrings are contracts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

DIGEST_SIZE = 12
"""Bytes of a series' digest, which stands for it where it is counted."""


class Admitted(Struct, frozen=True):
    """What became of new points' series: those with the indices `refused` have no room.

    `active` is the number of active series afterwards. `noted_for` is how many seconds the others
    need not be noted again; 0 if nothing was noted. `wait` is the number of seconds until there may
    be room, if any were refused.
    """

    refused: Sequence[int]
    active: int
    noted_for: float
    wait: float = 0.0


class ActiveSeries(Protocol):
    """The active series of each organization, which all workers on a log share.

    A series is active from its first point to the end of the UTC day that follows the day of its
    last point, by the clock of the log server. Not a part of the log.
    """

    async def admit(
        self, organization: str, series: Sequence[bytes], limit: int, *, whole: bool
    ) -> Admitted:
        """Note that series, given by their distinct digests, have points now.

        Active ones are admitted always, even above the limit; new ones in order, while fewer than
        `limit` are active. With `whole`, none is noted unless all are admitted. Concurrent calls
        never admit more than `limit` together. A server without memory for them admits all, and
        notes none. Raises LogUnavailable.
        """

    def count(self, organization: str) -> int:
        """Return how many series are active. Blocks. Raises LogUnavailable."""
