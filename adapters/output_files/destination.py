"""Writing to an output path: standard output, a device or pipe, or a regular file."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import ELOOP
from typing import BinaryIO

from adapters.output_files.attributes import made_alike
from adapters.output_files.part import open_part

STANDARD_OUTPUT = "-"
MAX_LINKS = 40
"""Number of links in a row that counts as a loop, as in Linux."""

_descriptors_of = re.compile(r"/proc/(\d+)/(?:task/\d+/)?fd").fullmatch
_OPEN = os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY


@contextmanager
def written(path: str) -> Iterator[BinaryIO]:
    """Yield a file whose content becomes that of `path` when the block ends without an error.

    `-` is standard output. Links are followed, including dangling ones. Devices, pipes and open
    file descriptors (`/dev/stdout`) are written directly while the block writes.

    A regular file appears atomically, once it is complete. An existing file keeps its mode, owner
    and extended attributes. It is replaced, unless that would change more than its content: if it
    has other names (hard links), its owner or attributes cannot be copied to another file, or its
    directory accepts no new file. In that case the complete content is copied into it.

    Raises OSError.
    """
    if path == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        return
    target = _followed(path)
    existing = os.dup(target) if isinstance(target, int) else _opened(target)
    if existing is not None and (isinstance(target, int) or not _is_regular(existing)):
        with os.fdopen(existing, "wb") as file:
            yield file
        return
    assert isinstance(target, str)  # noqa: S101  a descriptor was written into above
    try:
        with _written_whole(target, existing) as file:
            yield file
    finally:
        if existing is not None:
            os.close(existing)


def is_terminal(path: str) -> bool:
    """Return whether output written to `path` appears on a terminal."""
    if path == STANDARD_OUTPUT:
        return sys.stdout.isatty()
    try:
        if not stat.S_ISCHR(os.stat(path).st_mode):  # noqa: PTH116  a path as the user wrote it
            return False
        descriptor = os.open(path, _OPEN | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return os.isatty(descriptor)
    finally:
        os.close(descriptor)


def is_standard_output(path: str) -> bool:
    """Return whether `path` is this process's standard output, under any name."""
    if path == STANDARD_OUTPUT:
        return True
    with suppress(OSError):
        return os.path.samestat(os.stat(path), os.fstat(1))  # noqa: PTH116  as above
    return False


def _followed(path: str) -> str | int:
    """Return where links lead: a path whose last part is not a link, or one of our descriptors."""
    for _ in range(MAX_LINKS):
        directory, name = os.path.split(path)
        directory = os.path.realpath(directory or ".")
        path = os.path.join(directory, name)  # noqa: PTH118  pathlib takes ./- for -
        owner = _descriptors_of(directory)
        if name.isdecimal() and (directory == "/dev/fd" or owner):
            # Opened by its path, a descriptor would lose its position and O_APPEND.
            ours = owner is None or int(owner[1]) == os.getpid()
            return int(name) if ours else path
        try:
            link = os.readlink(path)  # noqa: PTH115  as above
        except OSError:  # not a link, or missing
            return path
        path = os.path.join(directory, link)  # noqa: PTH118  as above
    raise OSError(ELOOP, os.strerror(ELOOP), path)


def _opened(target: str) -> int | None:
    try:
        return os.open(target, _OPEN)
    except FileNotFoundError:
        return None


def _is_regular(descriptor: int) -> bool:
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


@contextmanager
def _written_whole(target: str, existing: int | None) -> Iterator[BinaryIO]:
    with open_part(target, replaces=existing is not None) as part:
        yield part.file
        part.file.flush()
        os.fsync(part.file.fileno())
        if existing is None:
            part.become(target)
            return
        if os.fstat(existing).st_nlink == 1 and made_alike(part.file.fileno(), existing):
            # For example a mount point, or another user's file in a sticky directory.
            with suppress(OSError):
                part.become(target)
                return
        _copy(part.file, existing)


def _copy(source: BinaryIO, existing: int) -> None:
    source.seek(0)
    os.ftruncate(existing, 0)
    with os.fdopen(os.dup(existing), "wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
        file.flush()
        os.fsync(existing)
