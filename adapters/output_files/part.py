"""A file in the making, beside the file that it will become."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

PRIVATE, PUBLIC = 0o600, 0o666
"""Modes of a new file: until it has those of the file that it replaces, and without one (less the
umask)."""

UNNAMED = "/proc/self/fd"
"""Where Linux lets a file without a name be linked from."""


class Part:
    """An open file, which may have a name in `directory` and may not."""

    def __init__(self, file: BinaryIO, directory: str, name: str | None) -> None:
        self.file = file
        self._directory = directory
        self._name = name

    def become(self, target: str) -> None:
        """Take the place of `target`, which is in the same directory. Raises OSError."""
        if self._name is None:
            self._name = _hidden(self._directory)
            self._link(self._name)
        os.replace(self._name, target)  # noqa: PTH105  text, as in all of this package
        self._name = None

    def discard(self) -> None:
        """Close the file, and remove it unless it has become another."""
        try:
            self.file.close()
        finally:
            _remove(self._name)

    def _link(self, path: str) -> None:
        directory = os.open(self._directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # With a directory's descriptor Python follows the link in /proc, without it does not.
            os.link(f"{UNNAMED}/{self.file.fileno()}", Path(path).name, dst_dir_fd=directory)
        finally:
            os.close(directory)


@contextmanager
def open_part(target: str, *, replaces: bool) -> Iterator[Part]:
    """Yield a new file in the directory of `target`; nothing is left of it after the block.

    On Linux it has no name before it is complete, so that not even SIGKILL leaves it behind; on
    file systems that cannot do that it has a hidden one. Where the directory takes no file at all,
    one that `replaces` another is in the directory for temporary files. Raises OSError.
    """
    directory = os.path.dirname(target)  # noqa: PTH120  text, as in all of this package
    mode = PRIVATE if replaces else PUBLIC
    name = None
    try:
        file = _unnamed(directory, mode)
        if file is None:
            name = _hidden(directory)
            file = os.fdopen(os.open(name, _NEW, mode), "w+b")
    except OSError:
        if not replaces:
            raise
        name, file = None, tempfile.TemporaryFile()  # noqa: SIM115  closed by `discard`
    except BaseException:  # a signal's, right after the file was made
        _remove(name)
        raise
    part = Part(file, directory, name)
    try:
        yield part
    finally:
        part.discard()


_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def _unnamed(directory: str, mode: int) -> BinaryIO | None:
    if not hasattr(os, "O_TMPFILE") or not os.path.isdir(UNNAMED):  # noqa: PTH112  as above
        return None
    try:
        return os.fdopen(os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, mode), "w+b")
    except OSError:
        return None


def _hidden(directory: str) -> str:
    """Return a new name, short however long that of the complete file is."""
    return os.path.join(directory, f".cave-{uuid4().hex[:16]}.part")  # noqa: PTH118  as above


def _remove(name: str | None) -> None:
    if name is not None:
        with suppress(FileNotFoundError):
            os.unlink(name)  # noqa: PTH108  as above
