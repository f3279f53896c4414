"""Keeping a projection's live generation up to date, through failures of the log and the store."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable

import structlog

from application.errors import LogError, LogGap
from application.projections.errors import ProjectionBusy, ProjectionDiverged, ProjectionError
from application.projections.folds import Projection
from application.projections.ports import Generation, ProjectionStore, ProjectionStores, Role
from application.projections.priority import InPlace, Priority
from application.projections.runner import MAX_POINTS, Progress, ProjectionRunner
from application.projections.shared_pages import SharedPages, SharedReader
from domain.events import MetricsDescribed

COMMIT_INTERVAL = 0.5
"""Seconds between commits while less than one commit's worth is waiting. Points that arrive
meanwhile go into one file, and can still be read within the contract's two seconds."""

DESCRIPTIONS_INTERVAL = 1.5
DESCRIPTIONS_POINTS = 1_000_000
"""Seconds between commits of the projection of descriptions, and points passed by one of them. Most
have no rows, and yet each takes some 25 ms of processor time."""

LOOK_EVERY = 1.0
"""Seconds between looks for a rebuilt generation, which take 2 ms of the processor each."""

TIDY_EVERY = 10.0
"""Seconds between rounds of maintenance while there is more to read: a merge takes up to a second,
for which new points would have to wait. Otherwise each step may do what is due."""

PAUSE = 1.0
"""Seconds to wait after a failure, and between attempts to take over from another host."""

_log = structlog.get_logger(__name__)


class LiveProjection:
    """Feeds one projection until it is stopped, in a thread of its own.

    It shares the partitions with the projectors of other hosts, and stands by while it may not have
    any. After any failure it starts again from the store's checkpoints, which it first checks
    against the log. If they do not match the log, the generation is stopped until a person rebuilds
    it; until then, queries read it as it is.
    """

    def __init__(
        self,
        pages: SharedPages,
        stores: ProjectionStores,
        projection: Projection,
        *,
        priority: Priority | None = None,
        interval: float | None = None,
        pause: float = PAUSE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pages = pages
        self._stores = stores
        self._projection = projection
        self._rests = projection.event is MetricsDescribed
        default = DESCRIPTIONS_INTERVAL if self._rests else COMMIT_INTERVAL
        self._interval = default if interval is None else interval
        self._max_points = DESCRIPTIONS_POINTS if self._rests else MAX_POINTS
        self._pause = pause
        self._priority = priority or InPlace()
        self._monotonic = monotonic
        self._reported: str | None = None

    @property
    def name(self) -> str:
        """The projection's name."""
        return self._projection.name

    def run(self, stop: threading.Event) -> None:
        """Keep it up to date until `stop` is set. Never raises."""
        while not stop.is_set():
            try:
                self._run_live(stop)
            except ProjectionBusy as error:
                self._report("projection stands by", str(error), logging.INFO)
                stop.wait(self._pause)
            except (LogError, ProjectionError) as error:
                self._report("projection is waiting", str(error), logging.WARNING)
                stop.wait(self._pause)
            except Exception:  # noqa: BLE001  a defect must not end the thread
                _log.exception("projection failed", projection=self._projection.name)
                stop.wait(self._pause)

    def _run_live(self, stop: threading.Event) -> None:
        generation = self._live()
        reason = why_stopped(self._projection, generation)
        if reason is None:
            try:
                with (
                    self._stores.join(generation) as store,
                    self._pages.reader(self._projection.event) as reader,
                ):
                    self._feed(generation, store, reader, stop)
            except (ProjectionDiverged, LogGap) as error:
                self._stop(generation, str(error))
        elif generation.stopped is None:
            self._stop(generation, reason)
        else:
            self._stores.drop_retired()
            stop.wait(self._pause)

    def _feed(
        self,
        generation: Generation,
        store: ProjectionStore,
        reader: SharedReader,
        stop: threading.Event,
    ) -> None:
        runner = self._runner(store, reader)
        tidy_due = self._monotonic() + TIDY_EVERY

        def step() -> Progress:
            nonlocal tidy_due
            progress = runner.step()
            self._recovered()
            if not progress.more or self._monotonic() >= tidy_due:
                store.tidy()
                tidy_due = self._monotonic() + TIDY_EVERY
            return progress

        read_all, look_due = -math.inf, self._monotonic() + LOOK_EVERY
        while not stop.is_set():
            began = self._monotonic()
            # Whatever is unread was appended after all of the log had been read. The first event
            # after a rest waits for its end.
            progress = self._priority.run(step, began - read_all - self._interval)
            if not progress.more:
                read_all = began
            if self._monotonic() >= look_due:
                look_due = self._monotonic() + LOOK_EVERY
                if self._live() != generation:
                    return
            if store.balance():
                runner = self._runner(store, reader)
            if not progress.events:
                self._stores.drop_retired()
            if not progress.more and (progress.events or self._rests):
                stop.wait(self._interval)

    def _runner(self, store: ProjectionStore, reader: SharedReader) -> ProjectionRunner:
        runner = ProjectionRunner(
            self._pages.log, store, self._projection, max_points=self._max_points, pages=reader
        )
        reader.begin(runner.positions)
        runner.check_continuity()
        return runner

    def _live(self) -> Generation:
        return live_generation(self._stores, self._projection.name) or self._stores.create(
            self._projection, Role.LIVE
        )

    def _stop(self, generation: Generation, reason: str) -> None:
        name = self._projection.name
        self._stores.stop(generation, reason)
        _log.error("projection stopped", projection=name, reason=reason, help=rebuild_hint(name))

    def _report(self, event: str, reason: str, level: int) -> None:
        """Log why it is not writing, once per reason."""
        if reason != self._reported:
            _log.log(level, event, projection=self._projection.name, reason=reason)
            self._reported = reason

    def _recovered(self) -> None:
        if self._reported is not None:
            _log.info("projection resumed", projection=self._projection.name)
            self._reported = None


def live_generation(stores: ProjectionStores, name: str) -> Generation | None:
    """Return a projection's live generation, or None if there is none."""
    live = (g for g in stores.generations(name) if g.role is Role.LIVE)
    return next(live, None)


def why_stopped(projection: Projection, live: Generation) -> str | None:
    """Return why a live generation is not kept up to date, or None if it is."""
    if live.stopped is None and live.version != projection.version:
        return (
            f"it was built by version {live.version} of the projection, "
            f"but this release has version {projection.version}"
        )
    return live.stopped


def rebuild_hint(name: str) -> str:
    """Return the advice for a stopped projection."""
    return f"rebuild it: cave replay {name}"
