"""An incomplete file in the directory of the file that it will become."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

PRIVATE, PUBLIC = 0o600, 0o666
"""Modes of a new file: until it gets that of the file it replaces, and if there is none (less the
umask)."""

UNNAMED = "/proc/self/fd"
"""The directory from which Linux can link files without a name."""


class Part:
    """An open file, with or without a name in `directory`."""

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
        """Close the file, and remove it unless it has become the target."""
        try:
            self.file.close()
        finally:
            _remove(self._name)

    def _link(self, path: str) -> None:
        directory = os.open(self._directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # Python follows the link in /proc only if a directory's descriptor is given.
            os.link(f"{UNNAMED}/{self.file.fileno()}", Path(path).name, dst_dir_fd=directory)
        finally:
            os.close(directory)


@contextmanager
def open_part(target: str, *, replaces: bool) -> Iterator[Part]:
    """Yield a new file in the directory of `target`; unless it became the target, it is removed.

    On Linux it has no name until it is complete, so not even SIGKILL leaves it behind. On file
    systems without that feature it has a hidden name. If the directory accepts no new file, a file
    that `replaces` another is created in the directory for temporary files. Raises OSError.
    """
    directory = os.path.dirname(target)  # noqa: PTH120  text, as in all of this package
    mode = PRIVATE if replaces else PUBLIC
    name = None
    try:
        file = _unnamed(directory, mode)
        if file is None:
            name = _hidden(directory)
            file = os.fdopen(os.open(name, _NEW, mode), "w+b")
    except OSError as error:
        if not replaces:
            # The name of the hidden file would mean nothing to the user.
            raise OSError(error.errno, error.strerror, target) from error
        name, file = None, tempfile.TemporaryFile()  # noqa: SIM115  closed by `discard`
    except BaseException:  # raised by a signal handler, right after the file was made
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
    """Return a new name, short even if that of the complete file is long."""
    return os.path.join(directory, f".cave-{uuid4().hex[:16]}.part")  # noqa: PTH118  as above


def _remove(name: str | None) -> None:
    if name is not None:
        with suppress(FileNotFoundError):
            os.unlink(name)  # noqa: PTH108  as above
