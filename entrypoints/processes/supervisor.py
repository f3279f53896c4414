"""`cave serve`: the embedded log server, the workers and the projector, wired together."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from adapters.embedded_valkey import DataDir, EmbeddedLogError, EmbeddedValkey, Holder
from entrypoints.logging import configure_logging
from entrypoints.processes.child import Child, ChildFailed
from entrypoints.processes.listening import CannotListen, listen
from entrypoints.processes.log_server_child import LogServer
from entrypoints.processes.projector_config import VARIABLE as PROJECTOR_VARIABLE
from entrypoints.processes.projector_config import ProjectorConfig
from entrypoints.processes.runtime_directory import runtime_directory
from entrypoints.processes.service_manager import ServiceManager
from entrypoints.processes.signals import Signals
from entrypoints.processes.stages import Stages
from entrypoints.processes.worker_config import VARIABLE, WorkerConfig
from entrypoints.program import Program, python_module
from entrypoints.settings import ServiceSettings

PROJECTOR = python_module("entrypoints.processes.projector")
WORKER = python_module("entrypoints.processes.worker")


def serve(
    settings: ServiceSettings,
    host: str,
    port: int,
    worker: Sequence[str] = WORKER,
    projector: Sequence[str] = PROJECTOR,
) -> int:
    """Run the service until SIGTERM, SIGINT or SIGHUP, and return the exit status.

    That is 0 after a requested stop, and 1 after a failure, with the reason on one line of standard
    error. Once the service is ready, one line on standard output has its address. `worker` is the
    command line of a worker, which finds its `WorkerConfig` in the environment. `projector` is that
    of the projector, which finds its `ProjectorConfig` there; empty for none. For the main thread.
    """
    try:
        configure_logging()
        _serve(settings, host, port, worker, projector)
    except (ChildFailed, CannotListen, EmbeddedLogError, ValueError) as error:
        print(f"cave serve: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


def _serve(
    settings: ServiceSettings,
    host: str,
    port: int,
    worker: Sequence[str],
    projector: Sequence[str],
) -> None:
    with ExitStack() as stack:
        stages: list[list[Child]] = []
        url = settings.log.redis_url
        if url is not None:
            place = f"at {_without_secrets(url)}"
        else:
            data_dir = DataDir(settings.log.data_dir)
            ownership = stack.enter_context(data_dir.own("serve", _patience))
            server = EmbeddedValkey(ownership, settings.log.max_memory)
            stages.append([Child(LogServer(server))])
            url, place = server.url, f"in {data_dir.path}"
        listening = listen(host, port, settings.workers)
        metrics_dir = None
        if settings.workers > 1:
            metrics_dir = stack.enter_context(runtime_directory(settings.log.data_dir)) / "metrics"
        workers = []
        for number, listener in enumerate(listening.sockets, start=1):
            fd = stack.enter_context(listener).fileno()
            environment = _worker_environment(settings, url, fd, metrics_dir)
            workers.append(Child(Program(f"worker-{number}", worker, environment, [listener])))
        projectors = []
        if settings.projector and projector:
            environment = _projector_environment(settings, url)
            projectors.append(Child(Program("projector", projector, environment)))
        # A worker may be waiting for the projector, to answer a query by receipt.
        endings = [workers, projectors, *reversed(stages)]
        stages.append([*workers, *projectors])
        processes = "1 worker" if len(workers) == 1 else f"{len(workers)} workers"
        announcement = f"CAVE serves {listening.url} ({processes}, log {place})"
        signals = stack.enter_context(Signals())
        manager = ServiceManager()

        def announce() -> None:
            print(announcement, flush=True)
            manager.ready()

        Stages(stages, endings, signals).run(announce, manager.stopping)


def _worker_environment(
    settings: ServiceSettings, url: str, fd: int, metrics_dir: Path | None
) -> Callable[[int], dict[str, str]]:
    def environment(ready_fd: int) -> dict[str, str]:
        config = WorkerConfig(
            settings=settings, url=url, fd=fd, ready_fd=ready_fd, metrics_dir=metrics_dir
        )
        return {VARIABLE: config.encode()}

    return environment


def _projector_environment(settings: ServiceSettings, url: str) -> Callable[[int], dict[str, str]]:
    def environment(ready_fd: int) -> dict[str, str]:
        config = ProjectorConfig(settings=settings.log, url=url, ready_fd=ready_fd)
        return {PROJECTOR_VARIABLE: config.encode()}

    return environment


def _patience(holder: Holder | None) -> float:
    """Wait for commands, which end soon, and for the log server of a killed `cave serve`."""
    return 2.0 if holder is not None and holder.kind == "serve" and holder.is_alive() else 10.0


def _without_secrets(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
