"""When a child is restarted, and when it is given up."""

import pytest

from entrypoints.processes.child import Child, ChildFailed, LaunchFailed, RestartPolicy

POLICY = RestartPolicy(
    first_delay=1, longest_delay=4, steady_after=60, first_attempts=3, later_attempts=5
)


class Scripted:
    """A process controlled by the test."""

    name = "scripted"

    def __init__(self) -> None:
        self.pid: int | None = None
        self.ready = False
        self.status: int | None = None
        self.launchable = True

    def launch(self) -> None:
        if not self.launchable:
            raise LaunchFailed("no memory")
        self.pid = (self.pid or 0) + 1
        self.ready, self.status = False, None

    def is_ready(self) -> bool:
        return self.ready

    def poll(self) -> int | None:
        return self.status

    def why_ended(self) -> str:
        return "the test ended it"

    def terminate(self) -> None:
        self.status = 0

    kill = terminate


class Clock:
    """Ticks a child as time passes."""

    def __init__(self) -> None:
        self.process = Scripted()
        self.child = Child(self.process, POLICY)
        self.now = 100.0

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        self.child.tick(self.now)

    def get_ready(self) -> None:
        self.pass_by(0)
        self.process.ready = True
        self.pass_by(0)
        assert self.child.is_ready

    def end(self) -> None:
        self.process.status = 1
        self.process.ready = False
        self.pass_by(0)

    def delay(self) -> float:
        """Return the seconds until it is launched again."""
        began, pid = self.now, self.process.pid
        while self.process.pid == pid:
            self.pass_by(0.5)
        return self.now - began


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_delay_doubles_up_to_the_longest(clock: Clock) -> None:
    clock.pass_by(0)
    delays = []
    for _ in range(4):
        clock.get_ready()
        clock.end()
        delays.append(clock.delay())
    assert delays == [1, 2, 4, 4]


def test_a_steady_run_resets_the_delay(clock: Clock) -> None:
    clock.get_ready()
    clock.end()
    clock.delay()
    clock.get_ready()
    clock.pass_by(60)
    clock.end()
    assert clock.delay() == 1


def test_a_process_that_ends_while_it_is_asked_is_asked_once_more(clock: Clock) -> None:
    process = clock.process

    def ends_while_asked() -> bool:
        if process.status is None:
            process.status = 1
        else:
            process.launch()
        return False

    clock.pass_by(0)
    process.is_ready = ends_while_asked  # type: ignore[method-assign]
    clock.pass_by(0)
    clock.pass_by(0)
    assert (process.pid, process.status) == (2, None), "launched by `is_ready`, without a delay"


def test_a_child_that_never_becomes_ready_is_given_up_with_the_reason(clock: Clock) -> None:
    clock.pass_by(0)
    for _ in range(2):
        clock.end()
        clock.delay()
    with pytest.raises(
        ChildFailed, match="scripted failed to start 3 times in a row: the test ended it"
    ):
        clock.end()


def test_a_child_that_was_ready_once_gets_more_attempts(clock: Clock) -> None:
    clock.get_ready()
    clock.end()
    clock.delay()
    for _ in range(4):
        clock.end()
        clock.delay()
    with pytest.raises(ChildFailed, match="5 times"):
        clock.end()


def test_a_failed_launch_counts_as_a_failed_start(clock: Clock) -> None:
    clock.process.launchable = False
    clock.pass_by(0)
    clock.pass_by(1)
    with pytest.raises(ChildFailed, match="3 times in a row: no memory"):
        clock.pass_by(2)


def test_it_is_not_started_before_it_may(clock: Clock) -> None:
    clock.child.tick(clock.now, may_start=False)
    assert not clock.child.is_running
    clock.child.tick(clock.now, may_start=True)
    assert clock.child.is_running
