"""The projector process, which keeps every projection up to date with the log."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence

import structlog

from application.errors import LogError
from application.projections.errors import ProjectionError
from application.projections.live import LiveProjection
from entrypoints.errors import CommandFailed
from entrypoints.logging import configure_logging
from entrypoints.processes.projector_config import ProjectorConfig
from entrypoints.processes.reaching import reach_log
from entrypoints.processes.signals import Signals
from entrypoints.program import SUPERVISOR_FD
from entrypoints.settings import LogSettings
from entrypoints.wiring import open_projector

NICENESS = 10
"""Publishing and reading come first. At 19, though, the projections of a machine that is always
busy would lag by more than the two seconds that are promised."""

WATCH_EVERY = 1.0
PAUSE = 1.0

_log = structlog.get_logger(__name__)


def project(settings: LogSettings, url: str, signals: Signals) -> None:
    """Keep the projections up to date until a stop is requested.

    Events read by then are either committed or read again later. Raises what opening the log and
    the stores raises, and CommandFailed if a projection's thread ended by itself.
    """
    with open_projector(settings, url) as projector:
        _run(projector.live, signals)


def _run(projections: Sequence[LiveProjection], signals: Signals) -> None:
    stop = threading.Event()
    threads = [
        threading.Thread(target=projection.run, args=(stop,), name=projection.name)
        for projection in projections
    ]
    for thread in threads:
        thread.start()
    try:
        _log.info("projector runs", projections=[projection.name for projection in projections])
        while not signals.stops:
            signals.wait(WATCH_EVERY)
            if ended := [thread.name for thread in threads if not thread.is_alive()]:
                raise CommandFailed(f"the projection of {', '.join(ended)} ended by itself")
        _log.info("projector stops")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    _log.info("projector stopped")


def project_alone(settings: LogSettings) -> int:
    """Run the projector for `cave projector`, with a log server of its own if none is running.

    Returns the exit status once a signal requests a stop. Raises what `project` raises.
    """
    configure_logging()
    os.nice(NICENESS)
    with Signals() as signals, reach_log(settings) as url:
        project(settings, url, signals)
    return 0


def main() -> int:
    """Run the projector for `cave serve` until that requests a stop, retrying after every failure.

    It counts as ready from its first try on: publishing does not depend on it.
    """
    configure_logging()
    os.nice(NICENESS)
    config = ProjectorConfig.from_environment()
    with Signals(SUPERVISOR_FD) as signals:
        config.say_ready()
        while not signals.stops:
            try:
                project(config.settings, config.url, signals)
            except (LogError, ProjectionError, OSError) as error:
                _log.warning("projector waits", reason=str(error))
                signals.wait(PAUSE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
