"""Files of a directory that only their owner can read, durable once they are written.

A file appears complete or not at all, also after a power failure: its content is fsynced before it
gets its name, and then every directory that has a new entry.
"""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

PARTS = "tmp"
"""Directory for files that have no name yet; what is in it was left by processes that died."""

_numbers = count()


def write(root: Path, path: str, content: bytes) -> None:
    """Write a file below `root`, replacing any of that name. Raises OSError."""
    part = _written_part(root, content)
    try:
        part.replace(_prepared(root, path))
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_directory((root / path).parent)


def create(root: Path, path: str, content: bytes) -> bool:
    """Write a file unless there is one of that name; return whether it was. Raises OSError."""
    part = _written_part(root, content)
    try:
        _prepared(root, path).hardlink_to(part)
    except FileExistsError:
        return False
    finally:
        part.unlink(missing_ok=True)
    _sync_directory((root / path).parent)
    return True


def remove(root: Path, path: str) -> None:
    """Remove a file, if it is there. Raises OSError."""
    file = root / path
    try:
        file.unlink()
    except FileNotFoundError:
        return
    _sync_directory(file.parent)


def make_directory(directory: Path) -> None:
    """Make a directory, and those above it that are missing. Raises OSError."""
    if directory.is_dir():
        return
    make_directory(directory.parent)
    directory.mkdir(mode=0o700, exist_ok=True)
    _sync_directory(directory.parent)


def _prepared(root: Path, path: str) -> Path:
    file = root / path
    make_directory(file.parent)
    return file


def _written_part(root: Path, content: bytes) -> Path:
    make_directory(root / PARTS)
    part = root / PARTS / f"{os.getpid()}-{next(_numbers)}-{os.urandom(4).hex()}"
    file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(file, "wb", buffering=0) as written:
            view = memoryview(content)
            while view:
                view = view[written.write(view) :]
            os.fsync(written)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return part


def _sync_directory(directory: Path) -> None:
    opened = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
