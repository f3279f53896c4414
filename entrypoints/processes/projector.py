"""The projector process: keeps every projection up to date with the log, and archives the log."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import structlog

from application.errors import LogError
from application.projections.errors import ProjectionError
from application.projections.priority import InPlace, Priority
from application.use_cases import Projector
from entrypoints.errors import CommandFailed
from entrypoints.logging import configure_logging
from entrypoints.processes.arenas import limit_arenas
from entrypoints.processes.niceness import FollowsLag
from entrypoints.processes.processor_time import ProcessorTime
from entrypoints.processes.projector_config import ProjectorConfig
from entrypoints.processes.reaching import reach_log
from entrypoints.processes.service_manager import ServiceManager
from entrypoints.processes.signals import Signals
from entrypoints.program import SUPERVISOR_FD
from entrypoints.settings import LogSettings
from entrypoints.wiring.projector import open_projector

ARCHIVER = "archiver"
WATCH_EVERY = 1.0
PAUSE = 1.0

_log = structlog.get_logger(__name__)


def project(
    settings: LogSettings,
    url: str,
    signals: Signals,
    service: int,
    begun: Callable[[], None] = lambda: None,
) -> None:
    """Keep the projections and the archive up to date until a stop is requested.

    `service` is the process of which all processes of the service are descendants, as this one is.
    `begun` is called once everything is open and the projections are being written. Events
    read by then are either committed or read again later. Raises what opening the log and the
    stores raises, and CommandFailed if a thread ended by itself.
    """
    with (
        _priority(service) as priority,
        open_projector(settings, url, priority) as projector,
    ):
        _run(projector, signals, begun)


@contextmanager
def _priority(service: int) -> Iterator[Priority]:
    """Yield what makes work nice. Only on Linux is niceness a thread's own."""
    if sys.platform != "linux":
        yield InPlace()
        return
    with closing(FollowsLag(ProcessorTime(service).shares)) as priority:
        yield priority


def _run(projector: Projector, signals: Signals, begun: Callable[[], None]) -> None:
    stop = threading.Event()
    threads = [
        threading.Thread(target=projection.run, args=(stop,), name=projection.name)
        for projection in projector.live
    ]
    if projector.archiver is not None:
        threads.append(threading.Thread(target=projector.archiver.run, args=(stop,), name=ARCHIVER))
    for thread in threads:
        thread.start()
    try:
        _log.info("projector runs", threads=[thread.name for thread in threads])
        begun()
        while not signals.stops:
            signals.wait(WATCH_EVERY)
            if ended := [thread.name for thread in threads if not thread.is_alive()]:
                raise CommandFailed(f"the thread of {', '.join(ended)} ended by itself")
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
    limit_arenas()
    configure_logging()
    manager = ServiceManager()
    with Signals() as signals, reach_log(settings) as url:
        project(settings, url, signals, os.getpid(), manager.ready)
    return 0


def main() -> int:
    """Run the projector for `cave serve` until that requests a stop, retrying after every failure.

    It counts as ready from its first try on: publishing does not depend on it.
    """
    limit_arenas()
    configure_logging()
    config = ProjectorConfig.from_environment()
    with Signals(SUPERVISOR_FD) as signals:
        config.say_ready()
        while not signals.stops:
            try:
                project(config.settings, config.url, signals, os.getppid())
            except (LogError, ProjectionError, OSError) as error:
                _log.warning("projector waits", reason=str(error))
                signals.wait(PAUSE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
