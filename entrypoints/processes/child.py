"""A child process that is kept running: its states, and when it is restarted."""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple, Protocol

import structlog

_log = structlog.get_logger(__name__)


class ChildFailed(Exception):
    """A child cannot be kept running; says which and why."""


class LaunchFailed(Exception):
    """A process cannot be started now; later it may be."""


class Process(Protocol):
    """The process that a child runs: one at a time, any number of times."""

    @property
    def name(self) -> str:
        """The name for logs and error messages, such as `worker-2`."""

    @property
    def pid(self) -> int | None:
        """The id of the latest process, None before the first."""

    def launch(self) -> None:
        """Start a process without waiting for it, after the previous one. Raises `LaunchFailed`."""

    def is_ready(self) -> bool:
        """Return whether the process is ready. Raises `ChildFailed` if it never will be.

        It may launch another in the place of one that has ended.
        """

    def poll(self) -> int | None:
        """Return the latest process's exit status, negative for a signal; None while it runs."""

    def why_ended(self) -> str:
        """Return the reason if it is known, else an empty string."""

    def terminate(self) -> None:
        """Ask it to stop for good: no launch follows. Does nothing if it is not running."""

    def kill(self) -> None:
        """Kill it. Does nothing if it is not running."""


class RestartPolicy(NamedTuple):
    """When a child that ended is restarted; times are in seconds.

    The delay doubles each time the child ends, from `first_delay` to `longest_delay`, and starts
    over once the child has run for `steady_after`. A child that fails to become ready
    `first_attempts` times in a row is given up, `later_attempts` times if it was ready before.
    """

    first_delay: float = 0.1
    longest_delay: float = 5.0
    steady_after: float = 30.0
    first_attempts: int = 3
    later_attempts: int = 10


class State(Enum):
    """Where a child is in its life."""

    WAITING = auto()
    STARTING = auto()
    READY = auto()


class Child:
    """Keeps one `Process` running, as long as `tick` is called often."""

    def __init__(self, process: Process, policy: RestartPolicy | None = None) -> None:
        self.process = process
        self.state = State.WAITING
        self._policy = policy or RestartPolicy()
        self._due = 0.0
        self._ready_since = 0.0
        self._ends = 0
        self._failed_starts = 0
        self._was_ready = False

    @property
    def is_ready(self) -> bool:
        """Whether the process is ready."""
        return self.state is State.READY

    @property
    def is_running(self) -> bool:
        """Whether there is a process, ready or not."""
        return self.process.pid is not None and self.process.poll() is None

    def tick(self, now: float, *, may_start: bool = True) -> None:
        """Start or restart the process if it is time; `now` is in seconds of a monotonic clock.

        Raises `ChildFailed`.
        """
        match self.state:
            case State.WAITING if may_start and now >= self._due:
                self._launch(now)
            case State.STARTING:
                self._look_whether_ready(now)
            case State.READY if self.process.poll() is not None:
                if now - self._ready_since >= self._policy.steady_after:
                    self._ends = 0
                self._start_later(now, self.process.why_ended())

    def _launch(self, now: float) -> None:
        try:
            self.process.launch()
        except LaunchFailed as error:
            self._did_not_start(now, str(error))
        else:
            self.state = State.STARTING
            _log.info("child started", child=self.process.name, pid=self.process.pid)

    def _look_whether_ready(self, now: float) -> None:
        # A process that ends while `is_ready` looks is asked once more: it may launch another.
        had_ended = self.process.poll() is not None
        if self.process.is_ready():
            self.state = State.READY
            self._ready_since = now
            self._failed_starts = 0
            self._was_ready = True
            _log.info("child ready", child=self.process.name, pid=self.process.pid)
        elif had_ended and self.process.poll() is not None:
            self._did_not_start(now, self.process.why_ended())

    def _did_not_start(self, now: float, why: str) -> None:
        self._failed_starts += 1
        allowed = self._policy.later_attempts if self._was_ready else self._policy.first_attempts
        if self._failed_starts >= allowed:
            raise ChildFailed(
                f"{self.process.name} failed to start {self._failed_starts} times in a row: "
                f"{why or f'it ended with {self.process.poll()}'}"
            )
        self._start_later(now, why)

    def _start_later(self, now: float, why: str) -> None:
        delay = min(self._policy.first_delay * 2**self._ends, self._policy.longest_delay)
        self._ends += 1
        self._due = now + delay
        self.state = State.WAITING
        _log.error(
            "child ended, will be restarted",
            child=self.process.name,
            pid=self.process.pid,
            status=self.process.poll(),
            reason=why,
            delay=delay,
        )
