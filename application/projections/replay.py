"""Use case: rebuild a projection alongside the live one, or copy it as of a time."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from application.event_log.reader import MetricLogReader
from application.projections.errors import ProjectionBusy, ProjectionDiverged
from application.projections.folds import Projection
from application.projections.live import live_generation
from application.projections.ports import Generation, ProjectionStore, ProjectionStores, Role
from application.projections.runner import ProjectionRunner, check_continuity
from domain.errors import InvalidArgument
from domain.names import label_fault

COMMIT_POINTS = 1_000_000
"""Points per commit: large, because nobody reads it yet, and large files need no merging."""

SWAP_ATTEMPTS = 20

SCRATCH = "verify"
"""Label of the copy made by a verification; other copies cannot have it."""


class ReplayProgress(Struct, frozen=True):
    """Events and points replayed so far, of about `total` events in the log."""

    events: int
    points: int
    total: int


OnProgress = Callable[[ReplayProgress], None]


class Replayed(Struct, frozen=True):
    """The result of a replay: the generation, and the events and points replayed this time."""

    generation: Generation
    events: int
    points: int


class ReplayHandler:
    """Rebuilds projections. The live generation is not touched until the swap.

    `remains` reads the same log as `log`, but skips its gaps.
    """

    def __init__(
        self, log: MetricLogReader, stores: ProjectionStores, remains: MetricLogReader
    ) -> None:
        self._log = log
        self._stores = stores
        self._remains = remains

    def rebuild(
        self,
        projection: Projection,
        on_progress: OnProgress,
        *,
        restart: bool = False,
        accept_loss: bool = False,
    ) -> Replayed:
        """Replay the log alongside the live generation and swap the result in atomically.

        Resumes an interrupted rebuild, unless `restart` is set. Raises LogGap if events are
        missing from the log, ProjectionDiverged if those that the live generation has read are no
        longer in it, ProjectionBusy if another process is rebuilding it, and what the log and the
        stores raise. After an error, nothing is swapped, and the unfinished generation is kept for
        the next call to resume.

        With `accept_loss`, it is rebuilt from the events that are left.
        """
        log = self._remains if accept_loss else self._log
        if not accept_loss:
            self.check_complete(projection)
        generation = self._building(projection, restart=restart)
        try:
            replayed = self._fill(log, projection, generation, on_progress)
        except ProjectionDiverged:
            # The interrupted rebuild was made from another log: start from the first event.
            self._stores.drop(generation)
            generation = self._stores.create(projection, Role.BUILDING)
            replayed = self._fill(log, projection, generation, on_progress)
        for _ in range(SWAP_ATTEMPTS):
            if not accept_loss:
                self.check_complete(projection)
            if self._stores.swap_in(generation):
                return replayed
            if accept_loss:
                self._stop_diverged(projection)
            # Otherwise the live one has read more in the meantime.
            with self._stores.open(generation) as store:
                self._catch_up(log, projection, store)
        raise ProjectionBusy(
            f"the rebuilt generation of {projection.name} cannot catch up with the live one; "
            "try again while less is being published"
        )

    def check_complete(self, projection: Projection) -> None:
        """Check that no events are missing from the log, as far as it or the live one knows.

        Raises LogGap, ProjectionDiverged, LogUnavailable, StoreUnavailable.
        """
        for partition in range(self._log.entries.partitions()):
            if (gap := self._log.entries.gap(partition)) is not None:
                raise gap
        live = live_generation(self._stores, projection.name)
        if live is not None:
            check_continuity(self._log, self._stores.info(live).checkpoints.values())

    def copy(
        self, projection: Projection, until: int | None, label: str, on_progress: OnProgress
    ) -> Replayed:
        """Make a copy of the events recorded before `until` (ms), or of all if it is None.

        The copy cannot be read before it is complete. If making it fails, it is removed; a crash
        leaves it behind until the next call with the same label. Raises InvalidArgument for the
        label, ProjectionBusy if there already is a copy with that label, and what the log and the
        stores raise.
        """
        if fault := label_fault(label):
            raise InvalidArgument(f"the label of a copy {fault}", "label")
        if label == SCRATCH:
            raise InvalidArgument(f"the label {label!r} is reserved for `cave verify`", "label")
        return self._copy(projection, until, label, on_progress)

    def scratch(self, projection: Projection, on_progress: OnProgress) -> Generation:
        """Make a new scratch copy for a verification, as of now. Raises ProjectionBusy."""
        self.drop_copy(projection, SCRATCH)
        return self._copy(projection, None, SCRATCH, on_progress).generation

    def _copy(
        self, projection: Projection, until: int | None, label: str, on_progress: OnProgress
    ) -> Replayed:
        for left in self._stores.generations(projection.name):
            if left.role is Role.COPYING and left.label == label:
                self._stores.drop(left)
        generation = self._stores.create(projection, Role.COPYING, label=label, until=until)
        try:
            filled = self._fill(self._log, projection, generation, on_progress)
            return replace(filled, generation=self._stores.keep(generation))
        except BaseException:
            self._stores.drop(generation)
            raise

    def drop_unfinished(self, projection: Projection) -> bool:
        """Drop what interrupted rebuilds left behind; return whether there was any."""
        unfinished = self._unfinished(projection)
        for generation in unfinished:
            self._stores.drop(generation)
        return bool(unfinished)

    def drop_copy(self, projection: Projection, label: str) -> bool:
        """Drop a copy; return whether there was one. Raises ProjectionBusy while it is made."""
        copies = [g for g in self._stores.generations(projection.name) if g.label == label]
        for generation in copies:
            self._stores.drop(generation)
        return bool(copies)

    def _unfinished(self, projection: Projection) -> list[Generation]:
        generations = self._stores.generations(projection.name)
        return [g for g in generations if g.role is Role.BUILDING]

    def _building(self, projection: Projection, *, restart: bool) -> Generation:
        for generation in self._unfinished(projection):
            if not restart and generation.version == projection.version:
                return generation
            self._stores.drop(generation)
        return self._stores.create(projection, Role.BUILDING)

    def _fill(
        self,
        log: MetricLogReader,
        projection: Projection,
        generation: Generation,
        on_progress: OnProgress,
    ) -> Replayed:
        events = points = 0
        with self._stores.open(generation) as store:
            runner = ProjectionRunner(
                log, store, projection, max_points=COMMIT_POINTS, until=generation.until
            )
            runner.check_continuity()
            total = sum(
                log.entries.count(partition, position)
                for partition, position in enumerate(runner.positions)
            )
            on_progress(ReplayProgress(0, 0, total))
            more = True
            while more:
                progress = runner.step()
                events += progress.events
                points += progress.points
                more = progress.more
                on_progress(ReplayProgress(events, points, max(total, events)))
            store.tidy()
        return Replayed(generation, events, points)

    def _stop_diverged(self, projection: Projection) -> None:
        """Stop the live generation if the log no longer holds what it read.

        The rebuilt generation could then never catch up with it.
        """
        live = live_generation(self._stores, projection.name)
        if live is not None:
            try:
                check_continuity(self._log, self._stores.info(live).checkpoints.values())
            except ProjectionDiverged as error:
                self._stores.stop(live, str(error))

    def _catch_up(
        self, log: MetricLogReader, projection: Projection, store: ProjectionStore
    ) -> None:
        runner = ProjectionRunner(log, store, projection, max_points=COMMIT_POINTS)
        while runner.step().more:
            pass
