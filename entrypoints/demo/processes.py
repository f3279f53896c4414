"""Programs that the demo runs for a while, and ends in order."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TypeVar

from adapters.embedded_valkey import tied_to_parent
from entrypoints.errors import CommandFailed
from entrypoints.stop_signals import on_stop

START_SECONDS = 60.0
STOP_SECONDS = 35.0
POLL_SECONDS = 0.02

_T = TypeVar("_T")


@contextmanager
def started(
    command: Sequence[str | Path],
    stdout: IO[bytes] | int,
    stderr: IO[bytes] | int,
    *,
    environment: Mapping[str, str],
    user: str | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command for the block, and make sure that it has ended afterwards.

    With `user`, which only root may choose, it runs as that user.
    """
    with _signals_held() as release:
        process = subprocess.Popen(  # noqa: S603  our own programs, and servers that we found
            command,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=environment,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            start_new_session=True,
            preexec_fn=tied_to_parent(),
        )
        with process:
            try:
                release()
                yield process
            finally:
                _stop(process)


@contextmanager
def running_server(
    name: str,
    command: Sequence[str | Path],
    directory: Path,
    is_ready: Callable[[], object],
    *,
    environment: Mapping[str, str],
    user: str | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server for the block, which begins when `is_ready` returns something true.

    Its output goes to a file of its name in the directory. Raises CommandFailed with the last line
    of it if the server does not get ready.
    """
    output = directory / f"{name}.out"
    with (
        output.open("ab") as out,
        started(command, out, out, environment=environment, user=user) as process,
    ):
        wait_until_ready(name, process, is_ready, lambda: last_line(output.read_text()))
        yield process


def wait_until_ready(
    name: str,
    process: subprocess.Popen[bytes],
    is_ready: Callable[[], _T | None],
    reason: Callable[[], str],
) -> _T:
    """Return what `is_ready` returns, once that is something true.

    Raises CommandFailed with the reason if the process ends, or is not ready in time.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        ended = process.poll() is not None
        if found := is_ready():
            return found
        if ended:
            raise CommandFailed(f"{name}: {reason()}")
        time.sleep(POLL_SECONDS)
    raise CommandFailed(f"{name} is not ready after {START_SECONDS:.0f} s")


def last_line(text: str) -> str:
    """Return the last line of a program's output."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it ended without an error message"


@contextmanager
def _signals_held() -> Iterator[Callable[[], None]]:
    """Hold back signals that ask to stop until `release` is called or the block ends.

    Otherwise a signal might come after the process has started and before it can be stopped.
    """
    held: list[int] = []
    holding = ExitStack()
    holding.enter_context(on_stop(held.append))

    def release() -> None:
        holding.close()
        while held:
            signal.raise_signal(held.pop())

    try:
        yield release
    finally:
        release()


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
