"""A child process that is kept running: its states, and when it is started again."""

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
    """What a child runs: one process at a time, any number of times."""

    @property
    def name(self) -> str:
        """What people call it, `worker-2`."""

    @property
    def pid(self) -> int | None:
        """The id of the latest process, None before the first."""

    def launch(self) -> None:
        """Start a process without waiting for it; the one before has ended. Or `LaunchFailed`."""

    def is_ready(self) -> bool:
        """Whether the process does its work already. Raises `ChildFailed` if it never will."""

    def poll(self) -> int | None:
        """The exit status of the latest process, negative for a signal; None while it runs."""

    def why_ended(self) -> str:
        """What is known of the reason, empty if nothing is."""

    def terminate(self) -> None:
        """Ask it to end, for good: no launch follows. Does nothing if it is not running."""

    def kill(self) -> None:
        """End it at once. Does nothing if it is not running."""


class RestartPolicy(NamedTuple):
    """When a child that ended is started again; times in seconds.

    The delay doubles with every end in a row, from `first_delay` to `longest_delay`; a child that
    ran for `steady_after` starts afresh. After `first_attempts` starts in a row that did not get
    ready it is given up, after `later_attempts` if it once was.
    """

    first_delay: float = 0.1
    longest_delay: float = 5.0
    steady_after: float = 30.0
    first_attempts: int = 3
    later_attempts: int = 10


class State(Enum):
    """Where a child is between its starts."""

    WAITING = auto()
    STARTING = auto()
    READY = auto()


class Child:
    """Keeps one `Process` running; `tick` does what is due and is to be called often."""

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
        """Whether it does its work."""
        return self.state is State.READY

    @property
    def is_running(self) -> bool:
        """Whether there is a process, ready or not."""
        return self.process.pid is not None and self.process.poll() is None

    def tick(self, now: float, *, may_start: bool = True) -> None:
        """Look after it at `now`, in seconds of a monotonic clock. Raises `ChildFailed`."""
        match self.state:
            case State.WAITING if may_start and now >= self._due:
                self._launch(now)
            case State.STARTING if self.process.is_ready():
                self.state = State.READY
                self._ready_since = now
                self._failed_starts = 0
                self._was_ready = True
                _log.info("child ready", child=self.process.name, pid=self.process.pid)
            case State.STARTING if self.process.poll() is not None:
                self._did_not_start(now, self.process.why_ended())
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

    def _did_not_start(self, now: float, why: str) -> None:
        self._failed_starts += 1
        allowed = self._policy.later_attempts if self._was_ready else self._policy.first_attempts
        if self._failed_starts >= allowed:
            raise ChildFailed(
                f"{self.process.name} did not start, {self._failed_starts} times in a row: "
                f"{why or f'it ended with {self.process.poll()}'}"
            )
        self._start_later(now, why)

    def _start_later(self, now: float, why: str) -> None:
        delay = min(self._policy.first_delay * 2**self._ends, self._policy.longest_delay)
        self._ends += 1
        self._due = now + delay
        self.state = State.WAITING
        _log.error(
            "child ended, will be started again",
            child=self.process.name,
            pid=self.process.pid,
            status=self.process.poll(),
            reason=why,
            delay=delay,
        )
