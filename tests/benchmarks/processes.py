"""Contestants as processes: pinned to cores, measured, and stopped."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import psutil

from adapters.embedded_valkey import tied_to_parent

START_SECONDS = 30.0
STOP_SECONDS = 40.0

_T = TypeVar("_T")


class NotRunning(Exception):
    """A process has ended, or was not ready in time."""


def pinned(command: Sequence[str], cores: Sequence[int]) -> list[str]:
    """Return a command that runs another one, with its children, only on these cores."""
    return ["taskset", "-c", ",".join(map(str, cores)), *command]


@contextmanager
def running(
    command: Sequence[str],
    cores: Sequence[int],
    directory: Path,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command for the block, with its output in files of the directory.

    Afterwards it gets a SIGTERM; whatever is left of its process group is then killed.
    """
    own = {
        name: value
        for name, value in os.environ.items()
        # Without bytecode, each process would compile all modules when it starts.
        if not name.startswith("CAVE_") and name != "PYTHONDONTWRITEBYTECODE"
    }
    with output(directory).open("wb") as out, errors(directory).open("wb") as err:
        process = subprocess.Popen(
            pinned(command, cores),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env={**own, **(environment or {})},
            process_group=0,
            preexec_fn=tied_to_parent(),
        )
    try:
        yield process
    finally:
        try:
            with suppress(NotRunning):
                stop(process)
        finally:
            _kill_group(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to stop, and wait until it has. Raises NotRunning if it takes too long."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired as expired:
        raise NotRunning(f"{process.args!r} does not stop") from expired


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def output(directory: Path) -> Path:
    """Return the file of the standard output of the process on a directory."""
    return directory / "stdout"


def errors(directory: Path) -> Path:
    """Return the file of the standard error of the process on a directory."""
    return directory / "stderr"


def wait_for(
    process: subprocess.Popen[bytes],
    directory: Path,
    found: Callable[[], _T | None],
    seconds: float = START_SECONDS,
) -> _T:
    """Call `found` until it returns an answer, and return that. Raises NotRunning."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        if (answer := found()) is not None:
            return answer
        time.sleep(0.01)
    last = errors(directory).read_text(errors="replace")[-500:]
    raise NotRunning(f"{process.args!r} is not ready (status {process.poll()}): {last}")


def wait_for_line(process: subprocess.Popen[bytes], directory: Path, pattern: str) -> re.Match[str]:
    """Wait until a line on standard output matches. Raises NotRunning."""
    search = re.compile(pattern, re.MULTILINE).search
    return wait_for(process, directory, lambda: search(output(directory).read_text()))


def memory(pid: int) -> dict[str, int]:
    """Return the bytes in memory of a process and its descendants, by kind of process.

    A page that several processes share counts as a part for each (PSS), so the sum is right.
    """
    first = psutil.Process(pid)
    weighed: dict[str, int] = {}
    for process in (first, *first.children(recursive=True)):
        try:
            name, size = _kind(process), process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
        weighed[name] = weighed.get(name, 0) + size
    return weighed


def processor_time(pid: int) -> int:
    """Return the ns of processor time that the threads of a process and its descendants have used.

    Threads that have ended do not count. The clock of `cpu_times` is too coarse for one request.
    """
    return sum(processor_times(pid).values())


def processor_times(pid: int) -> dict[str, int]:
    """Return the same by kind of process."""
    used: dict[str, int] = {}
    for name, process in _family(pid):
        used.setdefault(name, 0)
        for statistics in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
            with suppress(OSError):
                used[name] += int(statistics.read_text().split()[0])
    return used


def connections(pid: int, ports: Collection[int]) -> dict[str, int]:
    """Return the TCP connections of a process and its descendants to some ports, by kind."""
    found: dict[str, int] = {}
    for name, process in _family(pid):
        for connection in process.net_connections("tcp"):
            if connection.raddr and connection.raddr.port in ports:
                found[name] = found.get(name, 0) + 1
    return found


def _family(pid: int) -> Iterator[tuple[str, psutil.Process]]:
    """Yield a process and its descendants with their kinds."""
    first = psutil.Process(pid)
    for process in (first, *first.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            yield _kind(process), process


def _kind(process: psutil.Process) -> str:
    """Return the kind of a process: for `python -m` the module's last name, else the program's."""
    words: list[str] = process.cmdline()
    if "-m" in words[:-1]:
        name = words[words.index("-m") + 1].rpartition(".")[2]
        return "supervisor" if name == "cli" else name
    return str(process.name())


def size_of(directory: Path) -> int:
    """Return the bytes of all files below a directory, 0 if there is none."""
    total = 0
    for folder, _, files in os.walk(directory):
        for file in files:
            try:
                total += (Path(folder) / file).lstat().st_size
            except FileNotFoundError:  # merged away meanwhile
                continue
    return total
