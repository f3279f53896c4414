"""The order in which dependent children are started, restarted and stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import structlog

from entrypoints.processes.child import Child
from entrypoints.processes.signals import Signals

STOP_LIMIT = 30.0
SHORT_STOP_LIMIT = 1.0
WATCH_EVERY = 1.0
WATCH_CLOSELY_EVERY = 0.02

_log = structlog.get_logger(__name__)


class Stages:
    """Runs children in stages: a stage is started once those before it are ready.

    A child that is restarted waits for the stages before its own as well. `endings` has the same
    children in the order in which they end: those of one group together, and all of them before
    those of the next.
    """

    def __init__(
        self,
        stages: Sequence[Sequence[Child]],
        endings: Sequence[Sequence[Child]],
        signals: Signals,
    ) -> None:
        self._stages = stages
        self._endings = endings
        self._signals = signals

    def run(self, when_ready: Callable[[], None], when_stopping: Callable[[], None]) -> None:
        """Run until a signal requests a stop; `when_ready` is called once, when all children are.

        `when_stopping` is called before the first child is asked to stop. A child is killed if it
        does not end within 30 s, or within 1 s after another signal. Raises `ChildFailed` and what
        launching a child raises, but only after all children have ended.
        """
        announced = False
        try:
            while not self._signals.stops:
                all_ready = self._look_after()
                if all_ready and not announced:
                    announced = True
                    when_ready()
                self._signals.wait(WATCH_EVERY if all_ready else WATCH_CLOSELY_EVERY)
            _log.info("stopping")
        except BaseException as error:
            _log.critical("stopping after a failure", error=str(error))
            raise
        finally:
            when_stopping()
            self._stop()
            _log.info("stopped")

    def _look_after(self) -> bool:
        ready = True
        for stage in self._stages:
            may_start = ready
            for child in stage:
                child.tick(time.monotonic(), may_start=may_start)
                ready = ready and child.is_ready
        return ready

    def _stop(self) -> None:
        asked = max(self._signals.stops, 1)
        for ending in self._endings:
            running = [child for child in ending if child.is_running]
            for child in ending:
                child.process.terminate()
            self._wait_for(running, asked)

    def _wait_for(self, running: list[Child], asked: int) -> None:
        began = time.monotonic()
        killed = False
        while running:
            limit = SHORT_STOP_LIMIT if self._signals.stops > asked else STOP_LIMIT
            if not killed and time.monotonic() - began >= limit:
                killed = True
                for child in running:
                    _log.warning("child killed", child=child.process.name, seconds_waited=limit)
                    child.process.kill()
            self._signals.wait(WATCH_CLOSELY_EVERY)
            for child in [child for child in running if not child.is_running]:
                running.remove(child)
                _log.info("child ended", child=child.process.name, status=child.process.poll())
