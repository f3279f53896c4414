"""The limit on the active series of an organization, its teams included."""

from __future__ import annotations

import asyncio
import math
import time
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from hashlib import blake2b

from msgspec import Struct
from msgspec.structs import replace

from application.publishing.active_series import DIGEST_SIZE, ActiveSeries, Admitted
from application.publishing.ports import Decoded
from application.publishing.refusals import Reason, Refusals
from domain.columns import CodedColumn
from domain.errors import SeriesLimitExceeded
from domain.events import MetricsPublished
from domain.metric_point import PointBatch, TagSet

MAX_KNOWN = 500_000
"""Series that a worker remembers to have noted, at some 90 bytes each."""

KNOWN_SECONDS = 3600.0
"""How long a worker remembers them, so that a server that lost its counts has them again."""

MAX_ON_LOOP = 1000
"""New series whose digests are made on the event loop, which takes a millisecond."""

MAX_WORDS = 200
"""Characters of a series that are kept to name it."""

Series = tuple[str, TagSet]


class SeriesRefused(Struct, frozen=True):
    """The series of a batch that have no room, in the order of their first points."""

    organization: str
    limit: int
    active: int
    series: tuple[Series, ...]
    retry_after: int

    @property
    def error(self) -> SeriesLimitExceeded:
        """The refusal of the whole batch."""
        return SeriesLimitExceeded(
            f"organization {self.organization!r} has {self.active} active series and may have "
            f"{self.limit}; the batch has {len(self.series)} new series without room, the first "
            f"is {series_words(*self.series[0])}; no point of the batch was stored",
            retry_after=self.retry_after,
        )

    def removed_from(self, decoded: Decoded) -> Decoded:
        """Return a body without the points of these series, which are added to its refusals.

        Each series is one refusal, named by itself: where its points were is not known any more.
        What a format counts in terms of its own is at least what is left in `sent`, since a point
        may have been one of several of the same thing.
        """
        kept, counts = _partition(decoded.points, frozenset(self.series))
        refused = Refusals() if decoded.refused is None else decoded.refused.copy()
        detail = f"the series is new, and the organization may have {self.limit} active series"
        for series in self.series:
            refused.add(series_words(*series), Reason.SERIES, detail, counts[series])
        refused.retry_after = self.retry_after
        left_out = counts.total()
        sent = {what: max(0, count - left_out) for what, count in decoded.sent.items()}
        return replace(decoded, points=kept, refused=refused, sent=sent)


class _Known(Struct):
    """Series that were noted, by their hashes, and when to forget them (monotonic seconds)."""

    hashes: set[int]
    until: float


class SeriesLimit:
    """Admits the series of each organization, over all workers and hosts. For one event loop.

    `limit_of` returns an organization's limit, None for none. A worker asks only for series that
    it has not noted lately, so usually for none.
    """

    def __init__(
        self,
        active: ActiveSeries,
        limit_of: Callable[[str], int | None],
        monotonic: Callable[[], float] = time.monotonic,
        *,
        max_known: int = MAX_KNOWN,
    ) -> None:
        self._active = active
        self._monotonic = monotonic
        self._max_known = max_known
        self._known: dict[str, _Known] = {}
        self._count = 0
        self.limit_of = limit_of

    async def admit(
        self, event: MetricsPublished, limit: int, *, whole: bool
    ) -> SeriesRefused | None:
        """Note the series of a batch, and return those without room, None if all have.

        With `whole`, the batch is then refused, and none of its series was noted. Raises
        LogUnavailable.
        """
        organization, team = event.organization, event.team
        asked_at = self._monotonic()
        known = self._known.get(organization)
        hashes = known.hashes if known is not None and asked_at < known.until else frozenset()
        series = _distinct(event.points)
        # A hash has 64 bits and its key is this process's own, so nobody can make two collide.
        numbers = [hash((team, each)) for each in series]
        if all(map(hashes.__contains__, numbers)):
            return None
        found = zip(numbers, series, strict=True)
        new = {number: each for number, each in found if number not in hashes}
        if len(new) <= MAX_ON_LOOP:
            digests = _digests(team, new.values())
        else:
            digests = await asyncio.to_thread(_digests, team, new.values())
        admitted = await self._active.admit(organization, digests, limit, whole=whole)
        refused = frozenset(admitted.refused)
        if not (whole and refused):
            noted = [number for i, number in enumerate(new) if i not in refused]
            self._remember(organization, noted, asked_at, admitted)
        if not refused:
            return None
        return SeriesRefused(
            organization=organization,
            limit=limit,
            active=admitted.active,
            series=tuple(series for i, series in enumerate(new.values()) if i in refused),
            retry_after=math.floor(admitted.wait) + 1,
        )

    def _remember(
        self, organization: str, noted: list[int], asked_at: float, admitted: Admitted
    ) -> None:
        now = self._monotonic()
        until = asked_at + min(admitted.noted_for, KNOWN_SECONDS)
        if now >= until:
            return
        if self._count + len(noted) > self._max_known:
            self._known.clear()
            self._count = 0
            noted = noted[: self._max_known]
        known = self._known.get(organization)
        if known is None or now >= known.until:
            self._count -= len(known.hashes) if known is not None else 0
            known = self._known[organization] = _Known(set(), until)
        before = len(known.hashes)
        known.hashes.update(noted)
        known.until = min(known.until, until)
        self._count += len(known.hashes) - before


def series_words(name: str, tags: TagSet) -> str:
    """Return a series as people read it: `name{tag=value, …}`, cut if it is long."""
    words = name
    if tags.pairs:
        words += "{" + ", ".join(f"{tag}={value}" for tag, value in tags.pairs) + "}"
    return words if len(words) <= MAX_WORDS else words[: MAX_WORDS - 1] + "…"


def _distinct(points: PointBatch) -> Collection[Series]:
    """Return the series of a batch in order of their first points; a few may be there twice."""
    names, tag_sets = points.names, points.tag_sets
    if not (isinstance(names, CodedColumn) and isinstance(tag_sets, CodedColumn)):
        return dict.fromkeys(zip(names, tag_sets, strict=True))
    # Numbers are compared faster than what they stand for. A table may have a value twice.
    codes = dict.fromkeys(zip(names.codes, tag_sets.codes, strict=True))
    return [(names.table[n], tag_sets.table[t]) for n, t in codes]


def _digests(team: str | None, series: Iterable[Series]) -> list[bytes]:
    return [_digest(team, *each) for each in series]


def _digest(team: str | None, name: str, tags: TagSet) -> bytes:
    """Return the digest of a series, the same in every process.

    None of its parts has a control character, so a zero byte can divide them.
    """
    parts = [team or "", name]
    for pair in tags.pairs:
        parts += pair
    return blake2b("\0".join(parts).encode(), digest_size=DIGEST_SIZE).digest()


def _partition(
    points: PointBatch, refused: frozenset[Series]
) -> tuple[PointBatch, Counter[Series]]:
    """Return the points without those of the refused series, and how many each of these had."""
    counts: Counter[Series] = Counter()
    rows = []
    series = list(zip(points.names, points.tag_sets, strict=True))
    for row, found in enumerate(series):
        if found in refused:
            counts[found] += 1
        else:
            rows.append(row)
    kept = PointBatch(
        [series[row][0] for row in rows],
        array("q", [points.timestamps[row] for row in rows]),
        array("d", [points.values[row] for row in rows]),
        [series[row][1] for row in rows],
        points.known_finite,
    )
    return kept, counts
