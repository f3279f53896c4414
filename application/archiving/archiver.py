"""The archiver: seals and trims the log as it is due, in a thread of the projector's process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence

import structlog

from application.archiving.policy import SOFT_SHARE, ArchivePolicy
from application.archiving.ports import ArchivedLogServer, ArchiverState
from application.archiving.sealing import Sealing
from application.archiving.trimming import Trimmable, Trimming
from application.clock import Clock, milliseconds
from application.errors import ArchiveConflict, LogError, LogGap, LogUnfit
from application.event_log.archive import Archive, End, Loss
from application.event_log.ports import Entry, HotLog
from application.event_log.receipts import Receipt
from application.projections.errors import ProjectionError
from application.projections.priority import InPlace, Priority

INTERVAL = 1.0
"""Seconds between rounds."""

LEASE_SECONDS = 60.0
"""How long another archiver waits for one that died. A segment is sealed in a fraction of it."""

SEAL_MEMORY = 16 << 20
"""Bytes of unsealed entries of a partition, in the server's memory, that are sealed at once."""

RELIEF_SHARE = 0.5
"""Share of the memory limit down to which the largest partitions are then moved."""

SWEEP_EVERY = 3600
SWEEP_AGE = 86_400
"""Seconds after which a file that no manifest names is taken for the leaving of a dead process."""

TAKE_OVER_SECONDS = 10.0
"""How long an archiver that runs stands back after a command has trimmed."""

MAX_CONFLICTS = 5
PAGE = 200

SERVER_SHARE = 0.5
"""Share of the server's memory that events may take, if `hot_memory` is more than that."""

MAX_TRIM_PAUSE = 30.0
"""Most seconds between two looks for entries that are old enough to be trimmed."""

MAX_PAUSE = 30.0
"""Most seconds between rounds that fail."""

_log = structlog.get_logger(__name__)


class Archiver:
    """Keeps the archive up to date and the log server's memory bounded.

    Two archivers of one log do no harm: what they seal is the same, the manifest takes one of
    them, and only the one with a partition's lease trims it.
    """

    def __init__(
        self,
        hot: HotLog,
        server: ArchivedLogServer,
        archive: Archive,
        sealing: Sealing,
        trimming: Trimming,
        clock: Clock,
        *,
        log_id: str,
        owner: str,
        policy: ArchivePolicy,
        priority: Priority | None = None,
        interval: float = INTERVAL,
    ) -> None:
        self._hot = hot
        self._server = server
        self._archive = archive
        self._sealing = sealing
        self._trimming = trimming
        self._clock = clock
        self._log_id = log_id
        self._owner = owner
        self._policy = policy
        self._priority = priority or InPlace()
        self._interval = interval
        self._claimed = False
        self._failures = 0
        self._looked_at = 0.0
        self._organizations_at = 0.0
        self._swept_at = 0
        self._oldest: dict[int, Receipt] = {}

    def run(self, stop: threading.Event) -> None:
        """Archive until `stop` is set. Never raises; reports failures and tries again."""
        pause = self._interval
        reported: str | None = None
        while not stop.wait(pause):
            failing = self._priority.run(self._round_reported)
            if failing is not None and failing != reported:
                _log.warning("archiving fails", reason=failing)
            elif failing is None and reported is not None:
                _log.info("archiving works again")
            reported = failing
            pause = self._interval if failing is None else min(2 * pause, MAX_PAUSE)

    def round(self) -> None:
        """Seal and trim what is due. Raises LogError, ProjectionError.

        A failure in one partition does not keep the others from being sealed and trimmed; the
        first one is raised at the end.
        """
        self._claim()
        sizes, limit = self._server.memory(), self._most_memory()
        pressed = _pressed(sizes, limit)
        first: LogError | ProjectionError | None = None
        try:
            self.seal_due(sizes, pressed)
        except LogError as error:
            first = error
        try:
            self._trim_due(pressed=bool(pressed), full=sum(sizes) > limit)
            self._sweep()
        except (LogError, ProjectionError) as error:
            first = first or error
        if first is not None:
            raise first

    def seal_due(self, sizes: Sequence[int] | None = None, pressed: Collection[int] = ()) -> int:
        """Seal what is due, and all of the partitions `pressed`; return how many events that were.

        `sizes` are the bytes of each partition in the server's memory. Raises as `round`.
        """
        self._claim()
        sizes = self._server.memory() if sizes is None else sizes
        first: LogError | None = None
        sealed = 0
        for partition, size in enumerate(sizes):
            try:
                if self._is_due(partition, size, pressed=partition in pressed):
                    sealed += self._seal(partition)
            except LogError as error:
                first = first or error
        try:
            self._seal_organizations()
        except LogError as error:
            first = first or error
        if first is not None:
            raise first
        return sealed

    def seal_all(self, on_progress: Callable[[int, int], None]) -> int:
        """Seal everything that is in the log now; return how many events that were.

        `on_progress` takes the partitions sealed so far, and how many there are. Raises LogError
        at the first failure.
        """
        self._claim()
        partitions = self._hot.partitions()
        sealed = 0
        for partition in range(partitions):
            on_progress(partition, partitions)
            sealed += self._seal(partition)
        self._archive.organizations().refresh()
        self._sealing.seal_organizations()
        on_progress(partitions, partitions)
        return sealed

    def trim_all(self) -> int:
        """Trim everything that may be trimmed; return how many events that were.

        Takes over from an archiver that runs. Raises LogError, ProjectionError.
        """
        trimmed = 0
        for what in self.trimmable():
            self._take_over(what.partition)
            trimmed += self._trimming.trim(what, self._owner)
        return trimmed

    def move_all(self, partition: int) -> None:
        """Seal everything of a partition, and remove all of it from the server, also from its file.

        Takes over from an archiver that runs. Raises LogError.
        """
        self._claim()
        self._seal(partition)
        end = self._archive.partition(partition).end()
        first = self._hot.extent(partition).first
        if end.last is not None and first is not None and first <= end.last:
            self._take_over(partition)
            keep = Receipt.at(partition, end.position + 1)
            self._server.trim(partition, self._owner, first, keep)
        self._server.compact()

    def accept_loss(self, partition: int, gap: LogGap) -> Loss:
        """Record in the archive that the events of a gap are lost; the log then goes on behind it.

        Events that are left on the server on either side of the gap stay in the log. Raises
        LogUnfit if no event follows the gap yet, and LogError.
        """
        self._claim()
        stream = self._archive.partition(partition)
        end = stream.refresh()
        within = None if gap.last is None else gap.last.position
        left: list[Entry] = []
        after = end.position
        while page := self._hot.read(partition, after, PAGE)[1]:
            left += [e for e in page if within is not None and e.receipt.position <= within]
            after = page[-1].receipt.position
            if behind := [e for e in page if within is None or e.receipt.position > within]:
                before = behind[0].receipt
                break
        else:
            raise LogUnfit("no event follows the gap yet, so nothing says where it ends")
        missing = self._missing(partition, gap, end)
        if left:
            stream.seal(left, self._now())
            end = stream.end()
        extent = self._hot.extent(partition)
        counted = extent.added - self._hot.count(partition, before.position - 1) + 1
        offset = end.number + missing + 1 - counted
        loss = stream.accept_loss(before, missing, offset, self._now())
        if extent.first is not None and extent.first < before:
            # They are in the archive; here their numbers would contradict those behind the gap.
            self._take_over(partition)
            self._server.trim(partition, self._owner, extent.first, before)
        return loss

    def trimmable(self) -> list[Trimmable]:
        """Return everything that may be trimmed. Raises LogError, ProjectionError."""
        held = self._trimming.held()
        found = []
        for partition in range(self._hot.partitions()):
            self._archive.partition(partition).refresh()
            what = self._trimming.trimmable(partition, None, held)
            if what is not None:
                found.append(what)
        return found

    def _take_over(self, partition: int) -> None:
        self._server.lease(partition, self._owner, TAKE_OVER_SECONDS, take_over=True)

    def _claim(self) -> None:
        if not self._claimed:
            self._archive.claim(self._log_id, self._hot.partitions())
            self._claimed = True

    def _round_reported(self) -> str | None:
        failing = None
        try:
            self.round()
        except (LogError, ProjectionError) as error:
            failing = str(error)
        except Exception as error:  # noqa: BLE001  a defect must not end the thread
            _log.exception("archiving failed")
            failing = f"{type(error).__name__}: {error}"
        self._failures += failing is not None
        try:
            self._server.report(
                ArchiverState(at=self._now(), failures=self._failures, failing=failing)
            )
        except LogError as error:
            return failing or str(error)
        return failing

    def _missing(self, partition: int, gap: LogGap, end: End) -> int:
        """Return how many events are missing behind the end of the archive, 0 if unknown."""
        if gap.events is not None or gap.why:
            return gap.events or 0
        above = self._hot.count(partition, end.position)
        return self._hot.extent(partition).added + end.offset - end.number - above

    def _most_memory(self) -> float:
        """Return the bytes that events may take, which is less than the server has."""
        limit = self._server.memory_limit()
        most = self._policy.hot_memory
        return most if limit is None else min(most, SERVER_SHARE * limit)

    def _now(self) -> int:
        return milliseconds(self._clock)

    def _is_due(self, partition: int, size: int, *, pressed: bool) -> bool:
        end = self._archive.partition(partition).end()
        extent = self._hot.extent(partition)
        unsealed = extent.added + end.offset - end.number
        if not unsealed or not self._server.lease(partition, self._owner, LEASE_SECONDS):
            return False
        oldest = self._oldest_unsealed(partition, end.position)
        waited = 0.0 if oldest is None else (self._now() - oldest.milliseconds) / 1000
        share = min(unsealed / extent.entries, 1.0) if extent.entries else 0.0
        return pressed or waited >= self._policy.every or size * share >= SEAL_MEMORY

    def _seal(self, partition: int) -> int:
        """Seal a partition; return how many events that were."""
        stream = self._archive.partition(partition)
        before = stream.refresh().number
        for _ in range(MAX_CONFLICTS):
            try:
                self._sealing.seal(partition)
            except ArchiveConflict:
                stream.refresh()  # another archiver was faster
            else:
                break
        return stream.end().number - before

    def _oldest_unsealed(self, partition: int, after: int) -> Receipt | None:
        known = self._oldest.get(partition)
        if known is None or known.position <= after:
            _, found = self._hot.read(partition, after, 1)
            if not found:
                return None
            known = self._oldest[partition] = found[0].receipt
        return known

    def _seal_organizations(self) -> None:
        now = self._clock().timestamp()
        if now - self._organizations_at >= self._policy.every:
            self._archive.organizations().refresh()
            self._sealing.seal_organizations()
            self._organizations_at = now

    def _sweep(self) -> None:
        """Delete what processes that died have left in the archive, now and then."""
        now = self._now()
        if now - self._swept_at >= SWEEP_EVERY * 1000:
            self._swept_at = now
            for path in self._archive.sweep(now - SWEEP_AGE * 1000):
                _log.info("file swept from the archive", path=path)

    def _trim_due(self, *, pressed: bool, full: bool) -> None:
        """Trim by age now and then, and at once all that is possible if memory is `pressed`.

        If it is `full`, the server has to be relieved even of what a projection has not read: it
        reads that from the archive.
        """
        now = self._clock().timestamp()
        pause = min(MAX_TRIM_PAUSE, self._policy.hot_age / 4)
        if not pressed and now - self._looked_at < pause:
            return
        self._looked_at = now
        held = None if full else self._trimming.held()
        oldest = int((now - self._policy.hot_age) * 1000)
        for partition in range(self._hot.partitions()):
            before = None if pressed else Receipt(partition, max(oldest, 0), 0)
            what = self._trimming.trimmable(partition, before, held)
            if what is not None and self._server.lease(partition, self._owner, LEASE_SECONDS):
                self._trimming.trim(what, self._owner)


def _pressed(sizes: Sequence[int], limit: float) -> set[int]:
    """Return the partitions to relieve the server of: the largest ones, and no small ones."""
    if sum(sizes) <= SOFT_SHARE * limit:
        return set()
    excess = sum(sizes) - RELIEF_SHARE * limit
    pressed: set[int] = set()
    for partition in sorted(range(len(sizes)), key=lambda partition: -sizes[partition]):
        if excess <= 0:
            break
        pressed.add(partition)
        excess -= sizes[partition]
    return pressed
